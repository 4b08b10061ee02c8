"""The Axolotl plugin in Axolotl itself, where that is installed: its own configuration, data, models and training.

Imports nothing that needs the versions of TRL that `NTLSFTTrainer` needs: Axolotl pins older ones.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ntl_hf import NTLConfig

from ..tiny import char_tokenizer, tiny_model

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("axolotl") is None, reason="Axolotl is not installed"),
    pytest.mark.timeout(900),  # six trainings, each with Axolotl's loading of configuration, data and model
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder, and what `axolotl_worker.py` has written: of each run the trainer, the losses and their sums."""
    folder = tmp_path_factory.mktemp("axolotl")
    tiny_model().save_pretrained(folder / "model")
    char_tokenizer().save_pretrained(folder / "model")
    rows = [{"instruction": f"{i}+{7 * i}=", "output": str(8 * i)} for i in range(64)]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = [sys.executable, str(Path(__file__).with_name("axolotl_worker.py")), str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=800)
    assert run.returncode == 0, run.stderr[-4000:]
    return folder, json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("data", ["plain", "packed"])
def test_weight_0_is_axolotls_own_loss(runs, data):
    stock, without = (runs[1][f"{data}-{each}"] for each in ("stock", "weight-0"))
    assert (stock["trainer"], without["trainer"]) == ("AxolotlTrainer", "NTLAxolotlTrainer")
    assert without["losses"] == pytest.approx(stock["losses"], rel=1e-5)


@pytest.mark.parametrize("data", ["plain", "packed"])
def test_the_number_loss_is_added_and_logged(runs, data):
    folder, result = runs
    stock, found = (result[f"{data}-{each}"] for each in ("stock", "weight-0.3"))
    assert found["losses"] == pytest.approx(found["expected"], rel=1e-5)
    assert found["losses"][0] > stock["losses"][0]
    assert NTLConfig.load(folder / f"{data}-weight-0.3") == NTLConfig(weight=0.3)
