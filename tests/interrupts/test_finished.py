"""A run that was finished is not trained on, and what it left tells of it as before; what it lost is made up for."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file

from ntl_hf import NTLConfig, NTLTrainer
from ntl_hf.cli.main import main
from tests.build import make_trainer
from tests.interrupts.recipe import write_recipe
from tests.systems.trainer_worker import build
from tests.tiers import by_tier
from tests.tiny import tiny_model

CHANGED = ["--ntl_weight", "7.5", "--learning_rate", "0.5", "--seed", "3", "--save_total_limit", "1"]
LOST = ("model.safetensors", "training_args.bin", "ntl_config.json", "trainer_state.json")


def contents(folder):
    """What is in a folder, and when it was written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): (hashlib.sha1(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in files
    }


# At the end of a pass and within one; the last two were evaluated and saved again.
@pytest.mark.parametrize(
    ("strategy", "steps"),
    by_tier([("steps", 4), ("steps", 5), ("epoch", 4), ("epoch", 5)], [("steps", 4), ("epoch", 4)]),
)
def test_stays_as_it_is(strategy, steps, tmp_path, caplog):
    settings = {"save_strategy": strategy, "eval_strategy": strategy, "eval_steps": 2}
    recipe = str(write_recipe(tmp_path, max_steps=steps, per_device_train_batch_size=12, **settings))
    assert main(["sft", "--config", recipe]) == 0
    before = contents(tmp_path / "out")
    assert LOST[0] in before and "Nothing is left" not in caplog.text
    for resume in ("true", "auto"):
        assert main(["sft", "--config", recipe, "--resume_from_checkpoint", resume, *CHANGED]) == 0
        assert contents(tmp_path / "out") == before
    assert caplog.text.count(f"checkpoint-{steps} is of step {steps}, and training ends at step {steps}") == 2


@pytest.mark.parametrize("lost", by_tier([*LOST, "all"], LOST[1:]))
def test_a_last_save_that_was_lost_is_made_up_for(lost, tmp_path):
    """As the run had it, not with the settings of the one that makes up for it."""
    recipe, out = str(write_recipe(tmp_path, max_steps=3)), tmp_path / "out"
    assert main(["sft", "--config", recipe]) == 0
    kept = {name: (out / name).read_bytes() for name in LOST[:3]}
    for name in (*LOST, "README.md") if lost == "all" else (lost,):
        (out / name).unlink()
    assert main(["sft", "--config", recipe, "--resume_from_checkpoint", "auto", *CHANGED]) == 0
    assert {name: (out / name).read_bytes() for name in kept} == kept
    assert json.loads((out / "trainer_state.json").read_text())["global_step"] == 3
    card = (out / "README.md").read_text()
    assert "cross entropy + 0.3 * Number Token Loss" in card and "7.5" not in card


@pytest.mark.parametrize("lora", [{}, {"use_peft": True, "lora_target_modules": "all-linear"}])
def test_the_card_still_tells_of_the_evaluation_set(lora, tmp_path):
    """Which the run that makes up for the model does not read."""
    recipe, out = (
        str(write_recipe(tmp_path, max_steps=2, eval_strategy="steps", eval_steps=2, **lora)),
        tmp_path / "out",
    )
    assert main(["sft", "--config", recipe]) == 0
    before = (out / "README.md").read_bytes()
    (out / ("adapter_model.safetensors" if lora else LOST[0])).unlink()
    assert main(["sft", "--config", recipe, "--eval_strategy", "no"]) == 0
    assert b"| evaluation |" in before and (out / "README.md").read_bytes() == before
    assert list(out.glob("*.safetensors"))


def test_the_model_of_an_earlier_end_is_no_substitute(tmp_path, monkeypatch):
    """A run that was made longer, and killed between its last checkpoint and its model."""
    recipe, out = str(write_recipe(tmp_path, max_steps=2)), tmp_path / "out"
    assert main(["sft", "--config", recipe]) == 0
    with monkeypatch.context() as patch:
        patch.setattr("ntl_hf.runs.training._save", lambda *args: None)
        assert main(["sft", "--config", recipe, "--max_steps", "4"]) == 0
    assert main(["sft", "--config", recipe, "--max_steps", "4"]) == 0
    found, last = (load_file(folder / "model.safetensors") for folder in (out, out / "checkpoint-4"))
    assert all(torch.equal(found[name], last[name]) for name in last)


def test_the_state_is_written_after_the_model_that_it_tells_of(tmp_path, monkeypatch):
    recipe, out = str(write_recipe(tmp_path, max_steps=2)), tmp_path / "out"
    seen = []
    stock = NTLTrainer.save_state
    monkeypatch.setattr(
        "ntl_hf.NTLSFTTrainer.save_state", lambda self: (seen.extend(p.name for p in out.iterdir()), stock(self))
    )
    assert main(["sft", "--config", recipe]) == 0
    assert {"model.safetensors", "training_args.bin", "ntl_config.json", "README.md", "all_results.json"} <= set(seen)


def test_the_trainers_save_what_the_run_was(tmp_path):
    """In a script of one's own."""

    def trainer(**changes):
        settings = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1, **changes}
        return make_trainer(NTLTrainer, tiny_model(), tmp_path, **settings)

    def finish(each):
        result = each.train("auto")
        each.save_model()
        each.save_metrics("train", result.metrics)
        each.save_state()

    finish(trainer(ntl_weight=0.7))
    names = ("ntl_config.json", "model.safetensors", "training_args.bin")
    names += ("trainer_state.json", "all_results.json", "train_results.json")
    before = {name: (tmp_path / name).read_bytes() for name in names}
    again = trainer(ntl_weight=0.1, learning_rate=3.0)
    with pytest.warns(UserWarning, match="other settings"):
        finish(again)
    assert {name: (tmp_path / name).read_bytes() for name in names} == before
    again.create_model_card()
    assert "cross entropy + 0.7 * Number Token Loss" in (tmp_path / "README.md").read_text()
    # What is trained later is told as it is.
    again.args.max_steps = 3
    with pytest.warns(UserWarning, match="other settings"):
        finish(again)
    assert NTLConfig.load(tmp_path).weight == 0.1 and (tmp_path / "model.safetensors").read_bytes() != before[names[1]]


@pytest.mark.parametrize("strategy", by_tier(["steps", "epoch"], ["epoch"]))
def test_number_heads(strategy, tmp_path, caplog):
    settings = {"max_steps": 2, "save_strategy": strategy, "save_steps": 1, "per_device_train_batch_size": 24}
    first = build("regression_head", "llama", tmp_path, **settings)
    first.train()
    first.save_model()
    before = contents(tmp_path / "run")
    again = build("regression_head", "llama", tmp_path, learning_rate=1.0, **settings)
    again.train("auto")
    assert contents(tmp_path / "run") == before and "Nothing is left to train" in caplog.text
    again.save_model()
    names = ("model.safetensors", "training_args.bin", "ntl_config.json")
    assert {name: contents(tmp_path / "run")[name][0] for name in names} == {name: before[name][0] for name in names}
