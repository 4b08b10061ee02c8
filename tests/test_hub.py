"""`push_to_hub` against a stand-in of the hub: what arrives, when, and what is left where the hub fails."""

import logging
from importlib import import_module

import pytest
import torch
import yaml
from huggingface_hub.errors import HfHubHTTPError
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from ntl_hf import (
    NTLConfig,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from ntl_hf.cli.main import main
from ntl_hf.trainers.model_card import TAGS
from tests.build import make_trainer
from tests.hub_stand_in import check_card, stand_in_for_hub
from tests.recipe import prepare_recipe
from tests.tiny import tiny_model

# The hub's HTTP client: httpx, or httpx2 from huggingface_hub 2 on.
httpx = import_module(HfHubHTTPError.__bases__[0].__module__.partition(".")[0])
REPO = "somebody/numbers"
WEIGHTS = {False: "model.safetensors", True: "adapter_model.safetensors"}
ALWAYS = {"README.md", "ntl_config.json", "tokenizer.json", "tokenizer_config.json", "training_args.bin"}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    return stand_in_for_hub(monkeypatch, tmp_path / "hub")


def refused(status=403, text="Forbidden: you have no access to this repository"):
    response = httpx.Response(status, request=httpx.Request("POST", "https://huggingface.co/api"))
    return HfHubHTTPError(text, response=response)


def build(trainer_class, folder, is_adapted=False, **settings):
    """A trainer on a model in `folder / "base"`, which writes to `folder / "out"`."""
    kind, auto_class, task_type = "llama", AutoModelForCausalLM, "CAUSAL_LM"
    if trainer_class is NTLSeq2SeqTrainer:
        kind, auto_class, task_type = "t5", AutoModelForSeq2SeqLM, "SEQ_2_SEQ_LM"
    tiny_model(kind).save_pretrained(folder / "base")
    options = {"peft_config": LoraConfig(target_modules="all-linear", task_type=task_type)} if is_adapted else {}
    model = auto_class.from_pretrained(folder / "base")
    return make_trainer(trainer_class, model, folder / "out", trainer_options=options, **settings)


@torch.no_grad()
def logits(model, tokenizer):
    inputs = tokenizer(["12+34="], return_tensors="pt", return_token_type_ids=False)
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = inputs["input_ids"]
    return model.eval()(**inputs).logits


def check_pushed(hub, trainer, is_adapted, repo_id=REPO):
    """The repository has all it should, and a model loaded from it is the trained one."""
    folder, model = hub.repo(repo_id), trainer.accelerator.unwrap_model(trainer.model)
    files = {path.name for path in folder.iterdir()}
    assert {*ALWAYS, WEIGHTS[is_adapted]} <= files
    assert set(TAGS) <= set(check_card(folder / "README.md").data.tags)
    assert NTLConfig.load(folder) == trainer.ntl_config
    auto_class = AutoModelForSeq2SeqLM if model.config.is_encoder_decoder else AutoModelForCausalLM
    if is_adapted:
        base = auto_class.from_pretrained(trainer.model.get_base_model().config._name_or_path)
        loaded = PeftModel.from_pretrained(base, folder)
    else:
        loaded = auto_class.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.get_vocab() == trainer.processing_class.get_vocab()
    assert torch.allclose(logits(loaded, tokenizer), logits(model, tokenizer), atol=1e-6)


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSeq2SeqTrainer, NTLSFTTrainer])
@pytest.mark.parametrize("is_adapted", [False, True])
def test_push_to_hub_takes_everything(trainer_class, is_adapted, hub, tmp_path):
    settings = {"hub_model_id": REPO, "ntl_loss": "mae", "eval_strategy": "steps", "eval_steps": 1}
    trainer = build(trainer_class, tmp_path, is_adapted, learning_rate=0.5, **settings)
    before = logits(trainer.model, trainer.processing_class).clone()
    trainer.train()
    assert not hub.commits
    trainer.push_to_hub(commit_message="Done", tags="mine")
    (commit,) = hub.commits
    assert (commit.repo_id, commit.message) == (REPO, "Done")
    check_pushed(hub, trainer, is_adapted)
    assert not torch.allclose(before, logits(trainer.model, trainer.processing_class), atol=1e-4)
    card = check_card(hub.repo(REPO) / "README.md")
    assert "mine" in card.data.tags and any(each.metric_name == "eval_number_mae" for each in card.data.eval_results)


def test_the_output_folder_names_the_repository(hub, tmp_path):
    build(NTLTrainer, tmp_path).push_to_hub()
    assert hub.created == ["somebody/out"] and hub.commits[0].repo_id == "somebody/out"


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
@pytest.mark.parametrize("is_adapted", [False, True])
def test_every_save_is_a_whole_model(trainer_class, is_adapted, hub, tmp_path):
    settings = {"push_to_hub": True, "hub_model_id": REPO, "hub_strategy": "every_save", "max_steps": 2}
    trainer = build(trainer_class, tmp_path, is_adapted, save_strategy="steps", save_steps=1, **settings)
    assert hub.created == [REPO]  # before training: a run should not end with a refusal
    trainer.train()
    assert [commit.message for commit in hub.commits] == [f"Training in progress, step {step}" for step in (1, 2)]
    assert all({*ALWAYS, WEIGHTS[is_adapted]} <= commit.files for commit in hub.commits)
    assert not any("checkpoint-" in name for commit in hub.commits for name in commit.files)
    check_pushed(hub, trainer, is_adapted)


def test_the_strategy_end_pushes_nothing_before(hub, tmp_path):
    settings = {"push_to_hub": True, "hub_model_id": REPO, "hub_strategy": "end", "max_steps": 2}
    trainer = build(NTLTrainer, tmp_path, save_strategy="steps", save_steps=1, **settings)
    trainer.train()
    assert not hub.commits
    trainer.push_to_hub()
    check_pushed(hub, trainer, False)


@pytest.mark.parametrize("strategy", ["checkpoint", "all_checkpoints"])
def test_checkpoints_can_be_resumed_from_the_hub(strategy, hub, tmp_path):
    settings = {"push_to_hub": True, "hub_model_id": REPO, "hub_strategy": strategy, "max_steps": 2}
    trainer = build(NTLTrainer, tmp_path, True, save_strategy="steps", save_steps=1, **settings)
    trainer.train()
    folder = hub.repo(REPO) / ("last-checkpoint" if strategy == "checkpoint" else "checkpoint-2")
    check_card(folder / "README.md")
    (tmp_path / "again").mkdir()
    again = build(NTLTrainer, tmp_path / "again", True, max_steps=3)
    again.train(resume_from_checkpoint=str(folder))
    assert [log["step"] for log in again.state.log_history if "loss" in log] == [1, 2, 3]


def test_a_model_can_push_itself(hub, tmp_path):
    trainer = build(NTLTrainer, tmp_path, True)
    trainer.model.push_to_hub(REPO)
    assert WEIGHTS[True] in hub.commits[0].files


# ---- The command line ----


@pytest.fixture
def recipe(tmp_path):
    settings = prepare_recipe(tmp_path, rows=8) | {"max_steps": 2, "eval_strategy": "epoch", "dtype": "float32"}
    del settings["save_steps"]
    return ["--config", write(tmp_path, settings)]


def write(folder, settings):
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    return str(folder / "recipe.yaml")


PUSH = ["--push_to_hub", "true", "--hub_model_id", REPO]


@pytest.mark.parametrize("command", ["sft", "train"])
@pytest.mark.parametrize("is_adapted", [False, True])
def test_the_commands_push(command, is_adapted, hub, recipe, tmp_path):
    words = ["--use_peft", "true", "--lora_target_modules", "all-linear"] if is_adapted else []
    assert main([command, *recipe, *PUSH, *words]) == 0
    assert hub.commits[-1].message == "End of training"
    folder = hub.repo(REPO)
    assert {*ALWAYS, WEIGHTS[is_adapted]} <= {path.name for path in folder.iterdir()}
    card = check_card(folder / "README.md")
    assert "| training | gsm8k |" in card.text and card.data.datasets is None
    assert {each.dataset_name for each in card.data.eval_results} == {"gsm8k"}
    assert str(tmp_path) not in (folder / "README.md").read_text()


def test_a_model_from_scratch_has_no_base_model(hub, recipe):
    assert main(["train", *recipe, *PUSH, "--from_scratch", "true"]) == 0
    text = (hub.repo(REPO) / "README.md").read_text()
    assert "fine-tuned" not in text and "This model was trained with `ntl_hf`, on gsm8k." in text


@pytest.mark.parametrize("command", ["sft", "train"])
def test_a_debug_run_pushes_nothing(command, hub, recipe, tmp_path):
    settings = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
    write(tmp_path, settings | {"push_to_hub": True, "hub_model_id": REPO, "hub_strategy": "every_save"})
    assert main([command, *recipe, "--debug"]) == 0
    assert not hub.created and not hub.commits


# ---- Where the hub fails ----


@pytest.mark.parametrize("error", [refused(), httpx.ConnectError("Name or service not known")])
@pytest.mark.parametrize("is_adapted", [False, True])
def test_a_failed_push_leaves_the_trained_model(error, is_adapted, hub, tmp_path):
    trainer = build(NTLTrainer, tmp_path, is_adapted, hub_model_id=REPO)
    trainer.train()
    hub.error = error
    with pytest.raises(OSError, match="Pushing to the hub failed") as found:
        trainer.push_to_hub()
    message = str(found.value)
    assert str(error).split(":")[0] in message and f"hf upload {REPO} {tmp_path / 'out'}" in message
    assert {*ALWAYS, WEIGHTS[is_adapted]} <= {path.name for path in (tmp_path / "out").iterdir()}
    hub.error = None
    trainer.push_to_hub()
    check_pushed(hub, trainer, is_adapted)


def test_a_failed_push_of_the_command_leaves_the_run(hub, recipe, tmp_path):
    hub.error = refused()
    with pytest.raises(OSError, match="are saved in"):
        main(["sft", *recipe, *PUSH])
    out = tmp_path / "out"
    assert {*ALWAYS, WEIGHTS[False], "trainer_state.json", "train_results.json"} <= {p.name for p in out.iterdir()}
    check_card(out / "README.md")


def test_a_repository_that_cannot_be_made_is_told_before_training(recipe, tmp_path, capsys):
    # The real client, which is offline in the tests.
    assert main(["sft", *recipe, *PUSH]) == 2
    assert "offline" in capsys.readouterr().err.lower()
    assert not list((tmp_path / "out").rglob("*.safetensors"))


def test_there_is_no_repository_to_push_to(tmp_path):
    trainer = build(NTLTrainer, tmp_path)
    with pytest.raises(OSError, match=r"nothing was saved; `trainer\.save_model"):
        trainer.push_to_hub()


def test_a_push_that_fails_during_training_is_told(hub, tmp_path, caplog):
    settings = {"push_to_hub": True, "hub_model_id": REPO, "hub_strategy": "every_save", "max_steps": 2}
    trainer = build(NTLTrainer, tmp_path, save_strategy="steps", save_steps=1, **settings)
    hub.error = refused()
    with caplog.at_level(logging.WARNING, "ntl_hf"):
        trainer.train()
    told = [record.getMessage() for record in caplog.records if "A push to" in record.getMessage()]
    assert len(told) == 2 and all("Forbidden" in text for text in told)
    assert trainer.state.global_step == 2


def test_the_stand_in_refuses_what_the_hub_refuses(tmp_path):
    (tmp_path / "README.md").write_text(f"---\ntags: [ntl]\nbase_model: {tmp_path}\n---\n# Numbers\n")
    with pytest.raises(ValueError, match="Repo id must"):
        check_card(tmp_path / "README.md")
