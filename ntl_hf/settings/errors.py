"""The error that a command turns into one line and exit code 2, in one process or several."""

import json
import os
import sys
import time
from pathlib import Path

from .redaction import redacted_text

USAGE = 2


class UsageError(Exception):
    """Wrong usage of the command line: an unknown key, a bad value, a folder that must not be overwritten."""


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
