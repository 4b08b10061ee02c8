"""`kill -9` in the middle of saves: every resume succeeds, and the run ends where an uninterrupted one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.build import relative_difference
from tests.interrupts.recipe import write_recipe

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("processes", "kills"),
    [
        pytest.param(1, 20, marks=pytest.mark.slow),
        pytest.param(2, 4, marks=pytest.mark.slow),
        pytest.param(2, 20, marks=pytest.mark.distributed),
    ],
)
def test_killed_while_saving(processes, kills, tmp_path):
    write_recipe(tmp_path, max_steps=2 * kills + 3)
    command = [sys.executable, "-m", "tests.interrupts.kills", str(tmp_path), str(processes), str(kills)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=290)
    logs = {name: (tmp_path / f"{name}.log").read_text() for name in ("whole", "killed")}
    assert run.returncode == 0, run.stderr[-2000:] + logs["killed"][-2000:]
    done = json.loads(run.stdout.splitlines()[-1])
    assert len(done["left"]) == kills and done["codes"] == [0] * processes, logs["killed"][-2000:]
    # The kills hit what they were to hit, and not in one place only.
    assert sum(left["problem"] is not None for left in done["left"]) >= kills // 4
    assert "Passing over" in logs["killed"]
    for log in logs.values():
        assert ("Training in 2 processes" if processes == 2 else "Training in one process") in log
    whole, killed = (load_file(tmp_path / name / "model.safetensors") for name in logs)
    assert relative_difference(killed, whole) <= (0 if processes == 1 else 1e-6)
    assert relative_difference(load_file(tmp_path / "model" / "model.safetensors"), whole) > 1e-2, "nothing was learnt"
    state = json.loads((tmp_path / "killed" / "trainer_state.json").read_text())
    assert state["global_step"] == state["max_steps"] == 2 * kills + 3
