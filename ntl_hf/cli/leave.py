"""How a process of several ends."""

import atexit
import os
import sys
from typing import NoReturn


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
