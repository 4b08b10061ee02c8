"""Two processes x two micro-batches take the same steps as one process with the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.build import relative_difference
from tests.invariants.worker import TRAINERS, train

COMPONENTS = ("ce_loss", "ntl_loss", "number_mass", "number_mae", "number_token_fraction")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command += ["-m", "tests.invariants.worker", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr[-3000:]
    return torch.load(folder / "result.pt", weights_only=False)


@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.parametrize(("size", "accumulation"), [(8, 1), (1, 8)])
def test_same_parameters_and_logs(name, size, accumulation, two_processes, tmp_path):
    distributed = two_processes[name]
    assert distributed["world_size"] == 2
    assert distributed["wrapper"] == "DistributedDataParallel"
    single = train(name, tmp_path, size, accumulation)
    assert relative_difference(distributed["parameters"], single["parameters"]) < 1e-6
    for ours, theirs in zip(distributed["logs"][:3], single["logs"][:3], strict=True):
        for key in COMPONENTS:
            assert ours[key] == pytest.approx(theirs[key], rel=1e-5), key
    for key in COMPONENTS:
        found, wanted = distributed["evaluation"][f"eval_{key}"], single["evaluation"][f"eval_{key}"]
        assert found == pytest.approx(wanted, rel=1e-5), key
