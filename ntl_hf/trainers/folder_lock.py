"""`locked`: one process at a time writes into a folder"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

# The hub's uploads leave out what begins with an underscore.
LOCK = "_run.lock"
BUSY = "another run is training into this folder; wait for it to end, or choose another `output_dir`."


@contextmanager
def locked(folder: str | Path, refusal: str) -> Iterator[None]:
    """Keep other processes from a folder, which is made if it is not there, while the block runs.

    A process may take the lock again while it has it. The lock ends with its process, however that ends. A folder that
    was made here and is empty at the end is removed.

    Args:
        folder: to lock.
        refusal: what is said, after the folder's name, if another process has it: what that does, and what to do.

    Raises:
        ValueError: another process has the lock, or there can be no such folder.
    """
    folder = Path(os.path.abspath(folder))
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"`output_dir` {folder} cannot be made: {error.strerror}.") from error
    # One object for all of a process, which counts how often it was taken.
    lock = FileLock(folder / LOCK, timeout=0, thread_local=False, is_singleton=True)
    _take(lock, folder, refusal)
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            _remove(folder / LOCK, made)
        lock.release()


def _take(lock: FileLock, folder: Path, refusal: str) -> None:
    try:
        lock.acquire()
    except Timeout as error:
        raise ValueError(f"{folder}: {refusal}") from error
    except (OSError, NotImplementedError) as error:
        # A file system that knows no locks is no reason not to train.
        warnings.warn(f"{folder} cannot be locked ({error}): see to it that no other run writes into it.")


def _remove(lock_file: Path, made: list[Path]) -> None:
    """Before the release: whoever has opened the file by then sees that it is gone, and makes another."""
    with suppress(OSError):  # Windows removes no open file
        lock_file.unlink()
        for folder in made:
            folder.rmdir()
