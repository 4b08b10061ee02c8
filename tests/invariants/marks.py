"""Which cases `make test` and `make test-slow` run, and what DeepSpeed needs."""

import importlib.util
import shutil
from typing import Any

import pytest

from tests.invariants.cases import MODES, cases_of, is_core


def deepspeed_problem() -> str | None:
    """Why DeepSpeed cannot run here, or None."""
    if importlib.util.find_spec("deepspeed") is None:
        return "deepspeed is not installed"
    # Its first engine on a CPU compiles an operator.
    return None if shutil.which("g++") or shutil.which("c++") else "deepspeed needs a C++ compiler"


def marked(mode: str, name: str, slow: bool = False) -> Any:
    """Parameters `mode, name` of a test; of the core, DDP is in `make test`, other modes are in `make test-slow`."""
    marks = [pytest.mark.distributed]
    if is_core(mode, name) and not slow:
        marks = [] if mode == "ddp" else [pytest.mark.slow]
    if mode.startswith("zero"):
        problem = deepspeed_problem()
        marks.append(pytest.mark.skipif(problem is not None, reason=str(problem)))
    return pytest.param(mode, name, marks=marks, id=f"{mode}-{name}")


def all_marked(slow: bool = False, without: tuple[str, ...] = ()) -> list[Any]:
    """`marked` for all cases of all modes, but for those `without`."""
    return [marked(mode, name, slow) for mode in MODES if mode not in without for name in cases_of(mode)]
