"""A process that has the libraries loaded and forks a child for each program it is asked to run.

Started by tests/processes.py: loading torch, transformers, trl and datasets takes longer than most of what the tests
run in a process of its own. Requests and replies are lines of JSON on its standard input and output. It ends when its
standard input does, and its children with it.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import time
import traceback
from typing import Any

# None of `ntl_hf.cli.main`: that is run as a program, and would be there twice.
PRELOADED = (
    "accelerate",
    "datasets",
    "peft",
    "torch.distributed",
    "transformers.models.llama.modeling_llama",
    "transformers.models.t5.modeling_t5",
    "trl",
    "ntl_hf.runs.evaluate",
    "ntl_hf.runs.sft",
    "ntl_hf.runs.train",
    "ntl_hf.systems.trainer",
    "tests.build",
)
# From an interrupt to the end.
_GRACE_SECONDS = 10
# Of <sys/prctl.h>.
_PR_SET_PDEATHSIG = 1
# Found before any fork: a child may not wait for the lock of the loader.
_LIBC = ctypes.CDLL(None)


def serve() -> None:
    """Answer until the standard input ends."""
    # Some tests send these to all children of their process.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "w")
    # Whatever a library prints while it is loaded is no reply.
    os.dup2(2, 1)
    for name in PRELOADED:
        importlib.import_module(name)
    importlib.import_module("torch").set_num_threads(1)
    # For the pages of memory to stay shared, and for what is collected in a child to be its own.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        children = [_fork(program) for program in request["programs"]]
        print(json.dumps(_wait(children, request["timeout"])), file=replies, flush=True)


def _fork(program: dict[str, Any]) -> int:
    server = os.getpid()
    child = os.fork()
    if not child:
        _run(program, server)
    return child


def _end_with(parent: int) -> None:
    """Have this process killed when its parent ends, in whatever way; Linux only."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            # It has ended before it was to be watched.
            os._exit(1)


def _run(program: dict[str, Any], server: int) -> None:
    """Be the program, to the end of this process."""
    code = 1
    try:
        _end_with(server)
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(program[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
        os.chdir(program["cwd"])
        os.environ.clear()
        os.environ.update(program["env"])
        sys.argv = [program["module"], *program["words"]]
        runpy.run_module(program["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            # Neither what the server has registered for its own end, nor gloo, which may abort in a shutdown.
            os._exit(code)


def _wait(children: list[int], seconds: float) -> list[int]:
    """Exit codes in the order in which they end; when one has failed, or in the end, the others are stopped.

    First by an interrupt: it shows where they were, and lets them give back locks, such as that of a compilation.
    """
    left, codes, end = set(children), [], time.monotonic() + seconds
    stop = signal.SIGINT
    asker = select.poll()
    asker.register(0, 0)
    while left:
        if asker.poll(0):
            # The tests have ended, perhaps killed: nobody waits for the reply, and the children end with this.
            os._exit(1)
        for child in tuple(left):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                left.remove(child)
                codes.append(os.waitstatus_to_exitcode(status))
        if time.monotonic() > end or (any(codes) and stop == signal.SIGINT):
            for child in left:
                os.kill(child, stop)
            stop, end = signal.SIGKILL, time.monotonic() + _GRACE_SECONDS
        time.sleep(0.01)
    return codes


if __name__ == "__main__":
    serve()
