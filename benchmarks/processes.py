"""Fresh processes of the scripts, one a measurement."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# glibc raises these two by itself while a process runs, up to these values; setting them at once makes all processes
# alike. Blocks above 32 MiB go back to the system as soon as they are freed, smaller ones are kept for the next of
# their size, of which 64 MiB at most at the end of the heap.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**26)}
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class ChildError(RuntimeError):
    """A process ended without a result; the message is the last line that it wrote."""


def environment(threads: int) -> dict[str, str]:
    """Of a process that computes with `threads` threads."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    counts = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return {**os.environ, **_ALLOCATOR, **_QUIET, **counts, "PYTHONPATH": paths}


def run_child(module: str, payload: dict[str, Any], threads: int) -> dict[str, Any]:
    """Run `python -m module --case-json payload` and return the JSON of its last line.

    Raises:
        ChildError: it failed.
    """
    command = [sys.executable, "-m", module, "--case-json", json.dumps(payload)]
    run = subprocess.run(command, env=environment(threads), capture_output=True, text=True)
    if run.returncode != 0:
        reason = _last_line(run.stderr) or "no message"
        raise ChildError(f"{reason} (exit code {run.returncode})")
    return json.loads(_last_line(run.stdout))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
