"""Two runs never train into one folder at once, from scripts or commands; the processes of one run do."""

import pytest

from ntl_hf import NTLSFTTrainer, NTLTrainer
from ntl_hf.cli.main import main
from ntl_hf.trainers.folder_lock import LOCK
from tests.build import make_trainer
from tests.elsewhere import locked_elsewhere
from tests.interrupts.recipe import write_recipe
from tests.systems.trainer_worker import build
from tests.tiny import tiny_model

BUSY = "another run is training into this folder; wait for it to end, or choose another `output_dir`"


@pytest.mark.parametrize("kind", [NTLTrainer, NTLSFTTrainer, "number head"])
def test_a_second_run_is_refused_before_it_trains(kind, tmp_path):
    folder = tmp_path / "run"
    if kind == "number head":
        trainer = build("regression_head", "llama", tmp_path)
    else:
        trainer = make_trainer(kind, tiny_model(), folder)
    with locked_elsewhere(folder):
        before = sorted(folder.iterdir())
        with pytest.raises(ValueError, match=f"{folder}: {BUSY}"):
            trainer.train()
        assert trainer.state.global_step == 0 and sorted(folder.iterdir()) == before
    trainer.train()
    assert trainer.state.global_step == 1 and not (folder / LOCK).exists()


def test_a_command_is_refused_in_one_line_before_it_looks_at_the_folder(tmp_path, capsys):
    recipe = str(write_recipe(tmp_path, max_steps=1))
    with locked_elsewhere(tmp_path / "out"):
        assert main(["sft", "--config", recipe]) == 2
        assert f"ntl-hf: error: {tmp_path / 'out'}: {BUSY}" in capsys.readouterr().err.splitlines()[-1]
        assert [path.name for path in (tmp_path / "out").iterdir()] == [LOCK]
    assert main(["sft", "--config", recipe]) == 0
    assert not (tmp_path / "out" / LOCK).exists()


def test_a_command_keeps_the_folder_until_its_model_is_saved(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("ntl_hf.runs.training._save", lambda *args: seen.append((tmp_path / "out" / LOCK).exists()))
    assert main(["sft", "--config", str(write_recipe(tmp_path, max_steps=1))]) == 0
    assert seen == [True]


def test_all_processes_of_a_run_are_told(tmp_path, monkeypatch):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path)
    monkeypatch.setattr(type(trainer.args), "should_save", False)
    with locked_elsewhere(tmp_path):
        trainer.train()  # not the one that writes
        monkeypatch.setattr("ntl_hf.trainers.saving.gather_object", lambda mine: ["busy", *mine])
        with pytest.raises(ValueError, match="busy"):
            trainer.train()
