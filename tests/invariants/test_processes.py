"""Two processes x two micro-batches take the same steps as one process with the whole batch."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.build import relative_difference
from tests.invariants.worker import MODES, TRAINERS, WRAPPERS, train

COMPONENTS = ("ce_loss", "ntl_loss", "number_mass", "number_mae", "number_token_fraction")
ROOT = Path(__file__).parents[2]
CASES = [(mode, name) for mode, names in MODES.items() for name in names]


@pytest.fixture(scope="module")
def run_in_two_processes(tmp_path_factory) -> Any:
    done: dict[str, Any] = {}

    def run(mode: str) -> Any:
        if mode not in done:
            folder = tmp_path_factory.mktemp(mode)
            command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
            command += ["-m", "tests.invariants.worker", str(folder), mode]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DS_ACCELERATOR": "cpu"}
            result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
            assert result.returncode == 0, result.stderr[-3000:]
            done[mode] = torch.load(folder / "result.pt", weights_only=False)
        return done[mode]

    return run


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory) -> Any:
    done: dict[Any, Any] = {}

    def run(name: str, size: int, accumulation: int) -> Any:
        if (name, size) not in done:
            done[name, size] = train(name, tmp_path_factory.mktemp("one"), size, accumulation)
        return done[name, size]

    return run


@pytest.mark.parametrize(("size", "accumulation"), [(8, 1), (1, 8)])
@pytest.mark.parametrize(("mode", "name"), CASES)
def test_same_parameters_and_logs(mode, name, size, accumulation, run_in_two_processes, in_one_process):
    if mode == "zero3" and importlib.util.find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed")
    distributed, single = run_in_two_processes(mode)[name], in_one_process(name, size, accumulation)
    assert distributed["world_size"] == 2 and distributed["wrapper"].startswith(WRAPPERS[mode])
    assert distributed["is_fused"] and single["is_fused"]
    share = 1 if mode == "ddp" else 2
    assert distributed["local"] == single["local"] // share, "the parameters are not sharded"
    assert relative_difference(distributed["parameters"], single["parameters"]) < 1e-6
    for ours, theirs in zip(distributed["logs"][:3], single["logs"][:3], strict=True):
        for key in COMPONENTS:
            assert ours[key] == pytest.approx(theirs[key], rel=1e-5), key
    for key in COMPONENTS:
        found, wanted = distributed["evaluation"][f"eval_{key}"], single["evaluation"][f"eval_{key}"]
        assert found == pytest.approx(wanted, rel=1e-5), key


def test_the_cases_cover_every_trainer() -> None:
    assert {TRAINERS[name][0].__name__ for _, name in CASES} == {"NTLTrainer", "NTLSeq2SeqTrainer", "NTLSFTTrainer"}
