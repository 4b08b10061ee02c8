"""`leave`: one of several processes ends before anything can go wrong in the interpreter's shutdown."""

import os
import subprocess
import sys

import pytest

# An object that aborts the process when the interpreter clears its modules, as a late thread of gloo would.
SCRIPT = """
import atexit, os, sys
from ntl_hf.cli.process import leave
class Aborts:
    def __del__(self):
        os.abort()
keep = Aborts()
atexit.register(lambda: print("registered", end=""))
print("printed,", end=" ")
leave(3)
"""


@pytest.mark.parametrize(("processes", "code"), [(2, 3), (1, -6)])
def test_exit_code_and_what_still_runs(processes: int, code: int) -> None:
    """Alone, the ordinary shutdown runs: that shows that the object would abort."""
    environment = {**os.environ, "WORLD_SIZE": str(processes)}
    result = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert result.returncode == code
    assert result.stdout == ("printed, registered" if processes == 2 else result.stdout)
