"""What stands in for a training in the processes of a comparison, which import it by its name."""

import os
import signal
import threading
from pathlib import Path

from ntl_hf.compare.processes import InterruptedRunError, RefusedError


def work(item, tell):
    """End as `item` says, and tell of half of it before."""
    tell(0.5)
    if item == "fail":
        raise ZeroDivisionError("on purpose\nand more")
    if item == "refuse":
        raise RefusedError("no such\nmodel")
    if item == "die":
        os._exit(9)
    if item == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "device":
        print("device", os.environ["CUDA_VISIBLE_DEVICES"])
    if isinstance(item, tuple):
        run_until_signal(*item)
    print("did", item, flush=True)


def run_until_signal(started, how):
    """As a training: it stops at the first signal, unless it does not listen."""
    heard = threading.Event()
    signal.signal(signal.SIGTERM, (lambda *_: heard.set()) if how == "listens" else signal.SIG_IGN)
    Path(started).touch()
    if heard.wait(60):
        print("stopped", flush=True)
        raise InterruptedRunError
