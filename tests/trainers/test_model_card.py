"""Model cards: metadata that the hub accepts, and what was trained on what with which result."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from ntl_hf import NTLSeq2SeqTrainer, NTLSFTTrainer, NTLTrainer
from ntl_hf.systems.regression_transformer.model import load_regression_transformer
from ntl_hf.systems.regression_transformer.tokenizer import regression_transformer_tokenizer
from ntl_hf.tokens.placed_digits import NumberTokens
from ntl_hf.trainers.model_card import TAGS
from ntl_hf.trainers.model_card.facts import hub_id, last_evaluation
from tests.build import make_trainer
from tests.hub_stand_in import check_card
from tests.systems.trainer_worker import build as build_number_head
from tests.tiny import char_tokenizer, tiny_model

TRAINERS = pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSeq2SeqTrainer, NTLSFTTrainer])
ADAPTED = pytest.mark.parametrize("is_adapted", [False, True])
TRAINED = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1, "max_steps": 1}


def build(trainer_class, folder, is_adapted=False, base=None, **settings):
    """A trainer on a base model in a folder or, with `base`, on one that says that it is of the hub."""
    kind, auto_class = "llama", AutoModelForCausalLM
    if trainer_class is NTLSeq2SeqTrainer:
        kind, auto_class = "t5", AutoModelForSeq2SeqLM
    tiny_model(kind).save_pretrained(folder / "base")
    model = auto_class.from_pretrained(folder / "base")
    if base is not None:
        model.config._name_or_path = model.name_or_path = base
    task_type = "CAUSAL_LM" if kind == "llama" else "SEQ_2_SEQ_LM"
    options = {"peft_config": LoraConfig(target_modules="all-linear", task_type=task_type)} if is_adapted else {}
    return make_trainer(trainer_class, model, folder / "out", trainer_options=options, **settings)


@pytest.fixture
def plain(tmp_path):
    """A trainer that has not trained, and a function that writes and checks its card."""
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path)

    def card(**options):
        trainer.create_model_card(**options)
        return check_card(tmp_path / "README.md")

    return trainer, card


# ---- What every trainer's card has ----


@TRAINERS
@ADAPTED
def test_metadata_settings_data_metrics_and_citation(trainer_class, is_adapted, tmp_path):
    trainer = build(trainer_class, tmp_path, is_adapted, base="somebody/tiny", ntl_loss="mae", **TRAINED)
    trainer.data_name = "sums"
    trainer.train()
    trainer.save_model()
    trainer.create_model_card(tags="mine")
    path = tmp_path / "out" / "README.md"
    card = check_card(path)
    assert {*TAGS, "mine", "generated_from_trainer"} <= set(card.data.tags)
    assert card.data.base_model == "somebody/tiny"
    assert card.data.library_name == ("peft" if is_adapted else "transformers")
    (logged,) = [entry for entry in trainer.state.log_history if "eval_loss" in entry]
    results = {result.metric_name: result for result in card.data.eval_results}
    for name in ("loss", "ce_loss", "ntl_loss", "number_mae", "number_mass", "number_token_fraction"):
        result = results[f"eval_{name}"]
        assert (result.metric_type, result.metric_value) == (name, logged[f"eval_{name}"])
        assert (result.dataset_name, result.task_type) == ("sums", "text-generation")
        assert card.text.count(f"| `eval_{name}` | {logged[f'eval_{name}']:.6g} |") == 1
    assert not any("runtime" in name or "per_second" in name for name in results)
    assert "| `loss` | mae |" in card.text and "| training | sums | 8 |" in card.text
    assert "fine-tuned version of [somebody/tiny](https://huggingface.co/somebody/tiny), on sums." in card.text
    assert card.text.count("@inproceedings{zausinger2025regress") == 1

    first = path.read_bytes()
    trainer.create_model_card(tags="mine")
    assert path.read_bytes() == first
    # An adapter's is written anew by peft, with its own tags in the place of all others.
    trainer.save_model()
    assert set(check_card(path).data.tags) >= set(card.data.tags)


@TRAINERS
@ADAPTED
def test_the_path_of_a_local_base_model_stays_at_home(trainer_class, is_adapted, tmp_path):
    trainer = build(trainer_class, tmp_path, is_adapted, **TRAINED)
    trainer.data_name = str(tmp_path / "sums.jsonl")
    trainer.train()
    trainer.save_model()
    trainer.create_model_card()
    cards = list((tmp_path / "out").rglob("README.md"))
    assert len(cards) == (2 if is_adapted else 1)  # peft writes one in each checkpoint
    for path in cards:
        card = check_card(path)
        assert card.data.base_model is None and set(TAGS) <= set(card.data.tags)
        assert str(tmp_path) not in path.read_text() and card.text.count("## Number Token Loss") == 1
    text = (tmp_path / "out" / "README.md").read_text()
    assert "fine-tuned version of a model from a local folder, on sums.jsonl." in text
    assert "from scratch" not in text and "None]" not in text and "for None" not in text


def test_an_adapter_names_its_base_model_as_a_tag_too(tmp_path):
    trainer = build(NTLTrainer, tmp_path, True, base="somebody/tiny")
    trainer.save_model()
    assert "base_model:adapter:somebody/tiny" in check_card(tmp_path / "out" / "README.md").data.tags


# ---- Data ----


def from_hub(dataset, repo_id="openai/gsm8k"):
    """As `load_dataset` returns it, which notes the files that it has fetched."""
    dataset.info.download_checksums = {f"hf://datasets/{repo_id}@0123abc/main/train.parquet": {"num_bytes": 1}}
    return dataset.map(lambda row: row)


def test_sets_of_the_hub_are_named_by_themselves(plain):
    trainer, card = plain
    trainer.train_dataset = from_hub(trainer.train_dataset)
    written = card()
    assert written.data.datasets == ["openai/gsm8k"]
    link = "[openai/gsm8k](https://huggingface.co/datasets/openai/gsm8k)"
    assert f"| training | {link} | 8 |" in written.text and f", on {link}." in written.text
    assert "| evaluation | not named | 6 |" in written.text


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"dataset_tags": ["imdb"]}, ["imdb"]),
        ({"dataset_tags": "openai/gsm8k", "dataset": "GSM8K"}, ["openai/gsm8k"]),
        ({"dataset": "my sums"}, None),
    ],
)
def test_the_data_can_be_named(options, ids, plain):
    card = plain[1](**options)
    assert card.data.datasets == ids
    assert ids is not None or "| training | my sums |" in card.text


def test_data_from_a_folder_has_no_id(tmp_path, plain):
    trainer, card = plain
    (tmp_path / "rows.jsonl").write_text('{"input_ids": [4]}\n')
    # Its `builder_name` is what the stock card takes for an id.
    trainer.train_dataset = trainer.eval_dataset = Dataset.from_json(str(tmp_path / "rows.jsonl"))
    for name in (str(tmp_path), "sums"):
        trainer.data_name = name
        assert card().data.datasets is None
        assert f"| training | {Path(name).name}, split `train` | 1 |" in card().text
    trainer.data_name = "openai/gsm8k"
    assert card().data.datasets == ["openai/gsm8k"]


def test_a_stream_has_no_number_of_examples(plain):
    trainer, card = plain
    trainer.train_dataset, trainer.eval_dataset = trainer.train_dataset.to_iterable_dataset(), None
    text = card().text
    assert "| training | not named | a stream |" in text and "| evaluation |" not in text


def test_trl_takes_the_name_as_its_own_argument(tmp_path):
    trainer = make_trainer(NTLSFTTrainer, tiny_model(), tmp_path)
    trainer.create_model_card(model_name="numbers", dataset_name="openai/gsm8k")
    assert check_card(tmp_path / "README.md").data.datasets == ["openai/gsm8k"]
    trainer.create_model_card(dataset_name=str(tmp_path))
    assert check_card(tmp_path / "README.md").data.datasets is None


@pytest.mark.parametrize(
    ("name", "is_id"),
    [
        ("somebody/tiny", True),
        ("gpt2", True),
        ("", False),
        (None, False),
        ("/models/tiny", False),
        ("./tiny", False),
        ("a/b/c", False),
        ("C:\\models\\tiny", False),
        ("out/checkpoint--3", False),
        ("tests/trainers", False),  # a folder here
    ],
)
def test_ids_and_paths_are_told_apart(name, is_id, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    assert hub_id(name) == (name if is_id else None)


# ---- Metrics ----


def test_only_finite_numbers_are_metrics(plain):
    trainer, card = plain
    assert card().data.eval_results is None
    odd = {"eval_number_mae": float("nan"), "eval_mass": float("inf"), "eval_best": True, "eval_text": "3"}
    trainer.state.log_history.append({"eval_loss": 2.5, "eval_runtime": 1.0, "step": 3, "epoch": 1.0, **odd})
    (result,) = card().data.eval_results
    assert (result.metric_name, result.metric_value) == ("eval_loss", 2.5)


def test_several_evaluation_sets(tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path)
    trainer.eval_dataset = {"near": trainer.eval_dataset, "far": trainer.eval_dataset}
    trainer.evaluate()
    trainer.create_model_card()
    card = check_card(tmp_path / "README.md")
    assert {"eval_near_loss", "eval_far_number_mae"} <= {result.metric_name for result in card.data.eval_results}
    assert "| evaluation | not named | 12 |" in card.text


HISTORY = [
    {"loss": 3.0, "step": 1},
    {"eval_loss": 2.0, "step": 1},
    {"eval_loss": 3.0, "eval_extra": 1.0, "step": 2},
    {"train_runtime": 1.0, "step": 2},
]


@pytest.mark.parametrize(
    ("loads_best", "history", "step", "loss"),
    [
        (False, HISTORY, 2, 3.0),
        (True, HISTORY, 1, 2.0),
        (True, HISTORY[:-1], 2, 3.0),  # a checkpoint in the middle
        (True, [*HISTORY, {"eval_loss": 2.1, "step": 2}], 1, 2.1),  # `evaluate` after `train`: the best model again
        (False, [*HISTORY, {"eval_loss": 3.1, "step": 2}], 2, 3.1),
    ],
)
def test_the_metrics_are_those_of_the_saved_weights(loads_best, history, step, loss):
    state = SimpleNamespace(log_history=history, best_global_step=1)
    trainer = SimpleNamespace(state=state, args=SimpleNamespace(load_best_model_at_end=loads_best))
    found, metrics = last_evaluation(trainer)
    assert (found, metrics["eval_loss"]) == (step, loss)
    assert ("eval_extra" in metrics) == (step == 2)


def test_the_best_model_has_its_own_metrics_on_the_card(tmp_path):
    # A learning rate that makes the second step worse than the first.
    settings = {**TRAINED, "max_steps": 2, "learning_rate": 30.0, "load_best_model_at_end": True}
    trainer = build(NTLTrainer, tmp_path, **settings)
    trainer.train()
    trainer.create_model_card()
    card = check_card(tmp_path / "out" / "README.md")
    best = trainer.state.best_global_step
    losses = {entry["step"]: entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry}
    assert best == 1 and f"After step {best}:" in card.text and "It achieves" not in card.text
    (written,) = [result.metric_value for result in card.data.eval_results if result.metric_name == "eval_loss"]
    assert written == losses[best] == pytest.approx(trainer.evaluate()["eval_loss"])


# ---- Systems ----


@pytest.mark.parametrize("system", ["xval", "regression_head"])
@ADAPTED
def test_the_card_of_a_number_head(system, is_adapted, tmp_path):
    task_type = "SEQ_CLS" if system == "regression_head" else "CAUSAL_LM"
    config = LoraConfig(target_modules=["q_proj"], task_type=task_type)
    trainer = build_number_head(system, "llama", tmp_path, **({"peft_config": config} if is_adapted else {}))
    trainer.data_name = "sums"
    loss = trainer.evaluate()["eval_loss"]
    trainer.save_model()
    trainer.create_model_card()
    card = check_card(tmp_path / "run" / "README.md")
    assert card.text.count("## Number system") == 1 and "Number Token Loss" not in card.text
    assert system.replace("_", "-") in card.data.tags and not set(TAGS) & set(card.data.tags)
    results = {result.metric_name: result for result in card.data.eval_results}
    assert results["eval_loss"].metric_value == loss
    task = "text-classification" if system == "regression_head" else "text-generation"
    assert results["eval_loss"].task_type == task
    assert "| training | sums |" in card.text and card.data.library_name == ("peft" if is_adapted else "transformers")
    assert str(tmp_path) not in (tmp_path / "run" / "README.md").read_text()


def test_a_regression_transformer_is_called_one(tmp_path):
    tokenizer = regression_transformer_tokenizer(char_tokenizer(), (-1, 4))
    tiny_model("llama").save_pretrained(tmp_path / "base")
    model = load_regression_transformer(
        str(tmp_path / "base"), NumberTokens.from_tokenizer(tokenizer), tokenizer_size=len(tokenizer)
    )
    make_trainer(NTLTrainer, model, tmp_path, tokenizer=tokenizer).create_model_card()
    card = check_card(tmp_path / "README.md")
    assert "A Regression Transformer" in card.text and "| `number_encoding` | log |" in card.text
    assert card.text.count("## Number system") == card.text.count("## Number Token Loss") == 1


def test_the_card_of_another_run_in_the_folder_is_replaced(tmp_path):
    make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_loss="mae").create_model_card()
    make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_loss="mse").create_model_card()
    text = check_card(tmp_path / "README.md").text
    assert "| `loss` | mse |" in text and "| `loss` | mae |" not in text


# ---- What is not ours stays ----


def test_what_a_user_wrote_stays_when_an_adapter_is_saved_again(tmp_path):
    trainer = build(NTLTrainer, tmp_path, is_adapted=True, base="somebody/tiny", max_steps=1)
    trainer.save_model()
    path = tmp_path / "out" / "README.md"
    once = path.read_text(encoding="utf-8")
    noted = once.replace("\n---\n", "\ndatasets:\n- me/mine\nlicense: mit\n---\n", 1)
    path.write_text(f"{noted}\n## Limitations\n\nThis model was trained from scratch on love.\n", encoding="utf-8")
    trainer.save_model()
    card = check_card(path)
    assert card.text.endswith("\n## Limitations\n\nThis model was trained from scratch on love.")
    assert (card.data.license, card.data.datasets) == ("mit", ["me/mine"])
    assert card.text.count("## Number Token Loss") == card.text.count("### Citation") == 1


def test_the_card_of_somebody_else_is_added_to(tmp_path):
    trainer = build(NTLTrainer, tmp_path, is_adapted=True, base="somebody/tiny")
    (tmp_path / "other").mkdir()
    path = tmp_path / "other" / "README.md"
    path.write_text("# Mine\n\nThis model is a fine-tuned version of love.\n", encoding="utf-8")
    for _ in range(2):
        trainer.save_model(str(tmp_path / "other"))
        card = check_card(path)
        assert "This model is a fine-tuned version of love." in card.text
        assert card.text.count("## Number Token Loss") == 1


def test_a_folder_that_is_gone_is_no_model_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_model().save_pretrained("run/checkpoint-1")
    model = AutoModelForCausalLM.from_pretrained("run/checkpoint-1")
    trainer = make_trainer(NTLTrainer, model, tmp_path / "out")
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    trainer.create_model_card()
    card = check_card(tmp_path / "out" / "README.md")
    assert card.data.base_model is None and "run/checkpoint-1" not in (tmp_path / "out" / "README.md").read_text()


def test_arguments_by_position(plain):
    trainer, _ = plain
    trainer.create_model_card("en", "mit", ["mine"])
    card = check_card(Path(trainer.args.output_dir) / "README.md")
    assert (card.data.language, card.data.license) == (["en"], "mit") and "mine" in card.data.tags


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("https://user:secret@host/data/sums.jsonl?token=secret", "sums.jsonl"),
        (r"C:\Users\secret\sums.jsonl", "sums.jsonl"),
        ("/home/secret/sums/", "sums"),
        ("a|b\nc", r"a\|b c"),
    ],
)
def test_names_of_data_tell_no_secrets_and_break_no_table(name, shown, plain):
    trainer, card = plain
    trainer.data_name = name
    text = card().text
    assert f"| training | {shown} |" in text and "secret" not in text
