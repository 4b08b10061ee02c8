"""`locked_by_one`: a run keeps others from its output folder while it trains."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from accelerate.utils import gather_object

from .folder_lock import locked

BUSY = "another run is training into this folder; wait for it to end, or choose another `output_dir`."


@contextmanager
def locked_by_one(trainer: Any, folder: str) -> Iterator[None]:
    """Lock the folder of a run in the process that writes there, for all of its processes, while the block runs.

    Raises:
        ValueError: in all of them, if another run has it.
    """
    with ExitStack() as stack:
        problem = None
        if trainer.args.should_save:
            try:
                stack.enter_context(locked(folder, BUSY))
            except ValueError as error:
                problem = str(error)
        for told in gather_object([problem]):
            if told is not None:
                raise ValueError(told)
        yield
