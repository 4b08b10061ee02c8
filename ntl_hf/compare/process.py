"""A cell's process from the inside: its log, its signals, and how it says how it has ended."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any

from ..settings.redaction import redacted_text

DONE, FAILED, REFUSED, INTERRUPTED = "done", "failed", "refused", "interrupted"

Tell = Callable[[float], None]
"""Takes the finished share of a cell, 0 to 1."""


class RefusedError(ValueError):
    """A cell cannot be trained as it is; nothing was trained."""


class InterruptedRunError(RuntimeError):
    """A signal ended the training of a cell, with a checkpoint."""


@dataclass(frozen=True)
class Slot:
    """A place for one process: its device (a value of CUDA_VISIBLE_DEVICES; None: as it is) and its CPU threads."""

    device: str | None = None
    threads: int = 1


def enter(work: Callable[[Any, Tell], None], item: Any, pipe: Any, slot: Slot, log: Path) -> None:
    """The life of a process: one cell."""
    # Ctrl-C reaches the whole process group; the parent answers it for all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _write_to(log)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if slot.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot.device

    def say(kind: str, content: Any = "") -> None:
        # Without the parent there is nobody to tell, but still a checkpoint to save.
        with suppress(OSError):
            pipe.send((kind, content))

    try:
        work(item, lambda share: say("progress", share))
        say(DONE)
    except InterruptedRunError:
        say(INTERRUPTED)
    except RefusedError as error:
        _print_error()
        say(REFUSED, redacted_text(" ".join(str(error).split())))
    except Exception as error:
        _print_error()
        say(FAILED, redacted_text(traceback.format_exception_only(error)[-1].strip().splitlines()[0]))


def _print_error() -> None:
    """Into the log; addresses with a login are in the messages of libraries."""
    print(redacted_text(traceback.format_exc()), end="", file=sys.stderr)


def _write_to(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)


def _end_with_parent() -> None:
    """Save and stop when the command that started this is gone: the next one would begin beside it."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
