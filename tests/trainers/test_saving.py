"""What the trainers write beside the stock files: manifests, settings, the model card; and what they read back."""

import json
import os
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from peft import LoraConfig
from safetensors.torch import load_file
from transformers import Trainer, TrainerCallback, TrainingArguments

from ntl_hf import (
    InterruptCallback,
    NTLConfig,
    NTLSFTTrainer,
    NTLTrainer,
)
from ntl_hf.trainers.checkpoints import (
    MANIFEST,
    checkpoint_problem,
    finish_checkpoint,
    list_checkpoints,
)
from ntl_hf.trainers.checks import check_same_everywhere
from ntl_hf.trainers.model_card import TAGS
from ntl_hf.trainers.resume_checks import check_same_deepspeed
from tests.build import make_trainer, parameters, relative_difference
from tests.tiny import CHARACTERS, char_tokenizer, tiny_model

BOTH = pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
EVERY_STEP = {"save_strategy": "steps", "save_steps": 1}


@BOTH
def test_every_checkpoint_has_its_manifest_and_the_limit_is_kept(trainer_class, tmp_path):
    trainer = make_trainer(trainer_class, tiny_model(), tmp_path, max_steps=5, save_total_limit=2, **EVERY_STEP)
    trainer.train()
    kept = list_checkpoints(tmp_path)
    assert [folder.name for folder in kept] == ["checkpoint-5", "checkpoint-4"]
    for folder in kept:
        assert checkpoint_problem(folder) is None
        listed = json.loads((folder / MANIFEST).read_text())["files"]
        assert {"model.safetensors", "optimizer.pt", "trainer_state.json", "ntl_config.json"} <= set(listed)
        assert torch.load(folder / "training_args.bin", weights_only=False).save_total_limit == 2
    assert trainer.args.save_total_limit == 2


def test_the_limit_goes_by_the_step_and_not_by_the_clock(tmp_path):
    class SetBack(TrainerCallback):
        """What is written later looks older."""

        def on_save(self, args, state, control, **kwargs):
            at = 1e9 - 1000 * state.global_step
            os.utime(tmp_path / f"checkpoint-{state.global_step}", (at, at))

    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=5, save_total_limit=2, **EVERY_STEP)
    trainer.add_callback(SetBack())
    trainer.train()
    assert [folder.name for folder in list_checkpoints(tmp_path)] == ["checkpoint-5", "checkpoint-4"]


def test_later_checkpoints_of_an_earlier_run_do_not_take_the_place_of_new_ones(tmp_path):
    make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=9, save_strategy="steps", save_steps=9).train()
    make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=3, save_total_limit=1, **EVERY_STEP).train()
    assert [folder.name for folder in list_checkpoints(tmp_path)] == ["checkpoint-3"]


def test_half_written_checkpoints_do_not_use_up_the_limit(tmp_path):
    settings = {"save_total_limit": 1, **EVERY_STEP}
    make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=2, **settings).train()
    half = tmp_path / "checkpoint-9"
    (tmp_path / "checkpoint-2").rename(half)
    (half / MANIFEST).unlink()
    make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=2, **settings).train("auto")
    assert checkpoint_problem(tmp_path / "checkpoint-2") is None


def test_nothing_is_whole_before_all_is_written_nor_deleted_before_that(tmp_path, monkeypatch):
    """The moments at which the stock method has just written something, and what could be resumed from then."""
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=2, save_total_limit=1, **EVERY_STEP)
    seen = []

    def look(*args, **kwargs):
        seen.append({folder.name: checkpoint_problem(folder) is None for folder in list_checkpoints(tmp_path)})

    for name in ("save_model", "_save_optimizer_and_scheduler", "_save_rng_state"):
        stock = getattr(trainer, name)
        monkeypatch.setattr(trainer, name, lambda *a, stock=stock, **k: (stock(*a, **k), look()))
    trainer.train()
    assert seen == [{"checkpoint-1": False}] * 3 + [{"checkpoint-2": False, "checkpoint-1": True}] * 3


def test_all_processes_wait_before_the_first_file_and_before_the_manifest(tmp_path, monkeypatch):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=1, **EVERY_STEP)
    folder, at_barriers = tmp_path / "checkpoint-1", []
    monkeypatch.setattr(
        trainer.accelerator, "wait_for_everyone", lambda: at_barriers.append({path.name for path in folder.glob("*")})
    )
    trainer.train()
    assert at_barriers[0] == set()
    assert {"trainer_state.json", "optimizer.pt"} <= at_barriers[-1] and MANIFEST not in at_barriers[-1]
    assert checkpoint_problem(folder) is None


def test_only_the_process_that_saves_writes_the_settings(tmp_path, monkeypatch):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path)
    monkeypatch.setattr(type(trainer.args), "should_save", False)
    trainer.save_model(str(tmp_path / "model"))
    assert not (tmp_path / "model").exists()


def test_resuming_by_true_and_auto_passes_over_what_is_half_written(tmp_path):
    make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=3, **EVERY_STEP).train("auto")
    (tmp_path / "checkpoint-3" / "optimizer.pt").write_bytes(b"half")
    for resume in (True, "auto"):
        trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=3, save_strategy="no")
        trainer.train(resume)
        assert [log["step"] for log in trainer.state.log_history if "loss" in log] == [1, 2, 3]
        assert trainer._initial_global_step == 2
    with pytest.raises(ValueError, match=r"not a complete checkpoint \(optimizer.pt has 4 bytes"):
        trainer.train(str(tmp_path / "checkpoint-3"))


@pytest.mark.parametrize("characters", [CHARACTERS + "!", CHARACTERS[::-1]])
def test_a_checkpoint_of_another_tokenizer_is_refused(characters, tmp_path):
    make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=1, **EVERY_STEP).train()
    other = make_trainer(NTLTrainer, tiny_model(), tmp_path, tokenizer=char_tokenizer(characters), max_steps=2)
    with pytest.raises(ValueError, match=r"checkpoint-1 was trained with another tokenizer: it has 52 tokens"):
        other.train(True)
    assert other.state.global_step == 0


def test_a_stock_checkpoint_is_resumed_with_a_warning(tmp_path):
    make_trainer(Trainer, tiny_model(), tmp_path, TrainingArguments, max_steps=1, **EVERY_STEP).train()
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=2)
    with pytest.warns(UserWarning, match="not trained with the number loss before"):
        trainer.train(True)
    assert trainer.state.global_step == 2


def test_processes_with_different_settings_are_told_apart(monkeypatch):
    def pretend(config, checkpoint=None):
        other = {**vars(config), "resume_from_checkpoint": checkpoint}
        monkeypatch.setattr("ntl_hf.trainers.checks.gather_object", lambda mine: [*mine, other])

    pretend(NTLConfig())
    check_same_everywhere(NTLConfig(), None)
    pretend(NTLConfig(weight=0.5))
    with pytest.raises(ValueError, match=r"Processes 0 and 1 have different settings \(weight: 0.3 and 0.5\)"):
        check_same_everywhere(NTLConfig(), None)
    pretend(NTLConfig(), "out/checkpoint-2")
    with pytest.raises(ValueError, match="resume_from_checkpoint: None and 'out/checkpoint-2'"):
        check_same_everywhere(NTLConfig(), None)


def test_train_compares_the_processes(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("ntl_hf.trainers.checks.gather_object", lambda mine: seen.append(mine) or mine)
    make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_weight=0.7).train()
    assert seen[0][0]["weight"] == 0.7 and seen[0][0]["resume_from_checkpoint"] is None


def let_the_second_be_the_best(trainer):
    """Replace the losses of the evaluations."""
    losses, stock = [3.0, 1.0, 2.0, 2.0, 2.0], trainer.evaluation_loop

    def evaluation_loop(*args, **kwargs):
        output = stock(*args, **kwargs)
        output.metrics["eval_loss"] = losses.pop(0)
        return output

    trainer.evaluation_loop = evaluation_loop


BEST = {"eval_strategy": "steps", "eval_steps": 1, "load_best_model_at_end": True, **EVERY_STEP}


def test_the_best_checkpoint_outlives_the_limit(tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=5, save_total_limit=2, **BEST)
    let_the_second_be_the_best(trainer)
    trainer.train()
    assert [folder.name for folder in list_checkpoints(tmp_path)] == ["checkpoint-5", "checkpoint-2"]


@pytest.mark.parametrize("interrupted", [False, True])
def test_of_a_finished_run_the_best_one_is_left_of_an_interrupted_one_the_last_too(interrupted, tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=5, save_total_limit=1, **BEST)
    let_the_second_be_the_best(trainer)
    interrupt = InterruptCallback()
    trainer.add_callback(interrupt)
    if interrupted:
        trainer.add_callback(WantsToStop(interrupt, step=4))
    trainer.train()
    names = [folder.name for folder in list_checkpoints(tmp_path)]
    assert names == (["checkpoint-4", "checkpoint-2"] if interrupted else ["checkpoint-2"])
    best = load_file(tmp_path / "checkpoint-2" / "model.safetensors")
    assert (relative_difference(parameters(trainer.model), best) == 0) == (not interrupted), "the best model is loaded"
    assert trainer.args.load_best_model_at_end


class WantsToStop(TrainerCallback):
    def __init__(self, interrupt, step):
        self.interrupt, self.step = interrupt, step

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step - 1:
            self.interrupt._wanted_at = 0.0


def test_a_checkpoint_of_another_model_or_adapter_is_refused(tmp_path):
    def trainer(r=None, **shape):
        adapter = {"peft_config": LoraConfig(r=r, target_modules="all-linear")} if r else {}
        model = tiny_model("llama", **shape)
        return make_trainer(NTLTrainer, model, tmp_path / "run", max_steps=1, trainer_options=adapter, **EVERY_STEP)

    def refused(other, message):
        with pytest.raises(ValueError, match=message):
            other.train(str(tmp_path / "run" / "checkpoint-1"))

    trainer().train()
    refused(trainer(num_hidden_layers=1), "num_hidden_layers 2 and 1")
    refused(trainer(r=4), "adapter None and 'LORA'")
    trainer(r=4).train()
    refused(trainer(r=8), "r 4 and 8")
    refused(trainer(), "adapter 'LORA' and None")
    trainer(r=4).train(str(tmp_path / "run" / "checkpoint-1"))


def test_what_deepspeed_cannot_resume_is_refused(tmp_path):
    def write(kind, processes, stage=None):
        return {"distributed_type": kind, "num_processes": processes, "zero_stage": stage}

    zero3 = write("DEEPSPEED", 2, 3)
    finish_checkpoint(tmp_path, zero3)
    check_same_deepspeed(tmp_path, zero3)
    for other in (write("DEEPSPEED", 2, 2), write("DEEPSPEED", 4, 3), write("MULTI_GPU", 2)):
        with pytest.raises(ValueError, match=r"saved by 2 processes \(DEEPSPEED, ZeRO-3\), this run has"):
            check_same_deepspeed(tmp_path, other)
    finish_checkpoint(tmp_path, write("MULTI_GPU", 2))
    check_same_deepspeed(tmp_path, write("NO", 1))
    with pytest.raises(ValueError, match="same number of processes"):
        check_same_deepspeed(tmp_path, zero3)


def test_a_checkpoint_without_its_optimizer_is_resumed_with_a_warning(tmp_path):
    settings = {"save_only_model": True, **EVERY_STEP}
    make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=1, **settings).train()
    with pytest.warns(UserWarning, match="no state of the optimizer"):
        make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=2).train(True)


@BOTH
def test_the_model_card_has_settings_citation_and_tags(trainer_class, tmp_path):
    trainer = make_trainer(trainer_class, tiny_model(), tmp_path, ntl_weight=0.7, ntl_loss="mae")
    for _ in range(2):  # the second one replaces the first
        trainer.create_model_card(model_name="numbers", tags="mine")
    card = ModelCard.load(tmp_path / "README.md")
    assert {*TAGS, "mine"} <= set(card.data.tags)
    assert card.text.count("## Number Token Loss") == 1
    assert "cross entropy + 0.7 * Number Token Loss" in card.text and "| `loss` | mae |" in card.text
    assert "arxiv.org/abs/2411.02083" in card.text and "@inproceedings{zausinger2025regress" in card.text


def test_the_card_of_a_baseline_does_not_claim_the_loss(tmp_path):
    make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, ntl_weight=0.0).create_model_card()
    card = ModelCard.load(tmp_path / "README.md")
    assert not set(TAGS) & set(card.data.tags) and "cross entropy alone" in card.text


@pytest.mark.parametrize(
    ("weight", "told"), [(0.0, "targets for number tokens) alone"), (0.3, "tokens) + 0.3 * Number")]
)
def test_the_card_of_gaussian_cross_entropy(weight, told, tmp_path):
    make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, ntl_weight=weight, ntl_gaussian_sigma=1.0).create_model_card()
    assert told in ModelCard.load(tmp_path / "README.md").text


def test_a_checkpoint_is_pushed_when_it_is_whole(tmp_path, monkeypatch):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=1, hub_strategy="checkpoint", **EVERY_STEP)
    trainer.hub_model_id, trainer.push_in_progress, pushed = "somebody/numbers", None, {}
    trainer.args.push_to_hub = True  # later than `__init__`, which would ask the hub

    class Hub:
        def upload_folder(self, repo_id, folder_path, **kwargs):
            pushed[Path(folder_path).name] = {path.name for path in Path(folder_path).iterdir()}
            pushing: Future = Future()
            pushing.set_result(None)
            return pushing

    monkeypatch.setattr("transformers.trainer.hf_api", Hub)
    trainer.train()
    assert MANIFEST in pushed["checkpoint-1"] and "ntl_config.json" in pushed[tmp_path.name]


@BOTH
def test_a_push_takes_the_settings_and_the_card_along(trainer_class, tmp_path, monkeypatch):
    trainer = make_trainer(trainer_class, tiny_model(), tmp_path)
    trainer.hub_model_id = "somebody/numbers"
    pushed = {}

    class Hub:
        def upload_folder(self, repo_id, folder_path, **kwargs):
            pushed[repo_id] = {path.name for path in tmp_path.iterdir()}

    monkeypatch.setattr("transformers.trainer.hf_api", Hub)
    trainer.push_to_hub()
    assert {"ntl_config.json", "README.md", "model.safetensors"} <= pushed["somebody/numbers"]
    assert set(TAGS) <= set(ModelCard.load(tmp_path / "README.md").data.tags)
