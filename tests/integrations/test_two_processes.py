"""The stock Trainer with the number loss in two processes: the step of one process with the same micro-batches."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.build import relative_difference
from tests.processes import run_module

from .stock_worker import CASES, train


@pytest.fixture(scope="module")
def in_two_processes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("two")
    done = run_module("tests.integrations.stock_worker", [folder], processes=2)
    assert done.returncode == 0, done.stderr[-8000:]
    found: dict[str, Any] = torch.load(folder / "found.pt", weights_only=False)
    return found


@pytest.mark.parametrize("name", CASES)
def test_two_processes_are_one(name: str, in_two_processes: dict[str, Any], tmp_path: Path) -> None:
    two, one = in_two_processes[name], train(name, tmp_path, 2, 4)
    assert (two["processes"], two["wrapper"], one["processes"]) == (2, "DistributedDataParallel", 1)
    assert relative_difference(two["parameters"], one["parameters"]) < 1e-6


def test_cross_entropy_does_not_depend_on_the_micro_batches(in_two_processes: dict[str, Any], tmp_path: Path) -> None:
    name = "loss func, cross entropy alone"
    whole = train(name, tmp_path, 8, 1)
    assert relative_difference(in_two_processes[name]["parameters"], whole["parameters"]) < 1e-6
