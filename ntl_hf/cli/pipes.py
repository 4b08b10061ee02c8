"""The reader of a pipe that goes away before all is written, such as `head`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

FAILURE = 1


@contextmanager
def end_with_reader() -> Iterator[None]:
    """End with exit code 1, without a word, where what is printed inside has no reader any more.

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
