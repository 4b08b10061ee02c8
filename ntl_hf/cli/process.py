"""The process of a command: how it reports an error, and how it ends."""

import atexit
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO

from ..settings.errors import UsageError
from ..settings.redaction import redacted_text

FAILURE, USAGE = 1, 2


def report(error: UsageError) -> int:
    """Print the error in one line, once if there are several processes, and return the exit code."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print_error(str(error))
    if "TORCHELASTIC_ERROR_FILE" in os.environ:
        # Most likely all say the same as process 0. If not, torchrun, or our launcher, finds it here.
        told = {"message": redacted_text(str(error)), "timestamp": int(time.time())}
        Path(os.environ["TORCHELASTIC_ERROR_FILE"]).write_text(json.dumps(told), encoding="utf-8")
    return USAGE


def print_error(message: str) -> None:
    """Print one line to standard error."""
    print(f"ntl-hf: error: {message}", file=sys.stderr, flush=True)


@contextmanager
def exit_on_broken_pipe() -> Iterator[None]:
    """Exit with code 1, without a word, where what is printed inside has no reader any more, as in `... | head`.

    Raises:
        BrokenPipeError: of another pipe, such as a tracker's connection.
        SystemExit: with code 1.
    """
    try:
        try:
            yield
        finally:
            # Here, and not at the interpreter's end, where it could not be caught.
            if sys.stdout is not None:  # closed from the start: `>&-`
                sys.stdout.flush()
    except BrokenPipeError:
        if not [each for each in (sys.stdout, sys.stderr) if each is not None and _is_broken(each)]:
            raise
        raise SystemExit(FAILURE) from None


def _is_broken(stream: TextIO) -> bool:
    """Whether a stream has no reader; if so, what is still to come goes nowhere."""
    try:
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return True
    return False


def leave(code: int) -> NoReturn:
    """End with an exit code; in one of several processes, without the interpreter's own shutdown.

    A thread of gloo that has just finished an operation lets go of Python objects. Where the interpreter is shutting
    down by then, that aborts the process ("terminate called without an active exception"), and a run that went well,
    with everything saved, counts as failed. What was registered to run at exit, loggers and trackers, runs.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
