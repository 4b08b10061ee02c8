"""One set of runs for all tests here, shared by the processes of pytest."""

import os
from typing import Any

import pytest

from tests.invariants.launch import Runs


@pytest.fixture(scope="session")
def runs(tmp_path_factory: Any) -> Runs:
    base = tmp_path_factory.getbasetemp()
    # With pytest-xdist, each process has a folder of its own below a common one.
    return Runs((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "invariants")
