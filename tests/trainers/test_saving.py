"""What the trainers write beside the stock files: manifests, settings, the model card; and what they read back."""

import json

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import Trainer, TrainingArguments

from ntl_hf import NTLConfig, NTLSFTTrainer, NTLTrainer
from ntl_hf.checkpoints import MANIFEST, checkpoint_problem, list_checkpoints
from ntl_hf.model_card import TAGS
from ntl_hf.trainers.checks import check_same_everywhere
from tests.build import make_trainer
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
