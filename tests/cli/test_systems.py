"""`ntl-hf train` with `system`: each trains, resumes, saves, answers, takes an adapter, and says what it refuses."""

import json
from itertools import product

import pytest
import yaml

from ntl_hf.cli.main import main
from ntl_hf.runs.evaluation_arguments import EvaluationArguments
from ntl_hf.runs.trained_model import load_trained
from tests.cli.runs import assert_one_line, log_history, save_model
from tests.processes import run_command
from tests.tiers import by_tier

SYSTEMS = {
    "rt": {"system": "rt", "rt_places": [-1, 4], "ntl_weight": 0},
    "rt_ntl": {"system": "rt", "rt_places": [-1, 4], "rt_encoding": "float", "rt_largest": 1e4},
    "rt_place_values": {"system": "rt", "rt_places": [0, 4], "rt_place_values": True, "ntl_squash_factor": 9},
    "xval": {"system": "xval", "ntl_weight": 0},
    "regression_head": {"system": "regression_head", "number_scaling": "signed_log", "ntl_weight": 0},
}
MODEL_TYPES = {"rt": "regression_transformer_{}", "xval": "xval_{}", "regression_head": "{}"}
# On both kinds of model; two variants of the first system on one, and on the other in the slow tests.
ON_BOTH = by_tier(product(SYSTEMS, ("llama", "t5")), [("rt_ntl", "t5"), ("rt_place_values", "llama")])
every_system = pytest.mark.parametrize(("name", "kind"), ON_BOTH, indirect=["kind"])


def losses(out):
    return [log["loss"] for log in log_history(out) if "loss" in log]


def evaluate(recipe, out, *words):
    argv = ["evaluate", "--config", recipe, "--model_name_or_path", str(out), "--max_new_tokens", "6"]
    return main([*argv, "--use_cpu", "true", "--resamples", "0", "--max_eval_samples", "6", *words])


@every_system
def test_trains_resumes_saves_and_answers(recipe, name, kind, tmp_path):
    system = SYSTEMS[name]
    settings = {**system, "use_peft": False, "eval_strategy": "steps", "eval_steps": 2, "max_eval_samples": 4}
    settings |= {"lr_scheduler_type": "constant", "learning_rate": 1e-3}
    assert main(["train", "--config", recipe(max_steps=4, output_dir=str(tmp_path / "whole"), **settings)]) == 0
    assert main(["train", "--config", recipe(**settings)]) == 0
    config = recipe(max_steps=4, **settings)
    assert main(["train", "--config", config, "--resume_from_checkpoint", "auto"]) == 0
    assert losses(tmp_path / "out") == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)
    assert any("eval_loss" in log for log in log_history(tmp_path / "out"))
    saved = json.loads((tmp_path / "out" / "config.json").read_text())
    assert saved["model_type"] == MODEL_TYPES[system["system"]].format(kind)
    assert evaluate(config, tmp_path / "out") == 0
    rows = (tmp_path / "out" / "evaluation" / "predictions.jsonl").read_text().splitlines()
    assert len(rows) == 6
    if system["system"] == "regression_head":
        assert all(json.loads(row)["number"] is not None for row in rows)


@every_system
def test_an_adapter_is_scored_on_what_it_was_trained_on(recipe, name, kind, tmp_path):
    """The base model alone is none of the systems: what was made of it is found beside the adapter."""
    settings = {"eval_strategy": "steps", "eval_steps": 3, "max_eval_samples": 6, **SYSTEMS[name]}
    if name == "xval":
        settings["number_weight"] = 0.5
    config = recipe(save_strategy="no", max_steps=3, learning_rate=1e-2, seed=3, **settings)
    assert main(["train", "--config", config]) == 0
    assert evaluate(config, tmp_path / "out") == 0
    with_adapter = (tmp_path / "out" / "evaluation" / "metrics.json").read_text()
    if settings["system"] == "rt":
        (seen,) = (log["eval_ce_loss"] for log in log_history(tmp_path / "out") if "eval_ce_loss" in log)
        assert json.loads(with_adapter)["metrics"]["cross_entropy"]["value"] == pytest.approx(seen, rel=1e-3)
    # Merged, it is one model, and says the same.
    merge(tmp_path / "out", tmp_path / "merged")
    assert evaluate(config, tmp_path / "merged") == 0
    merged = json.loads((tmp_path / "merged" / "evaluation" / "metrics.json").read_text())["metrics"]
    found, wanted = (
        {name: score["value"] for name, score in metrics.items() if score["value"] is not None}
        for metrics in (merged, json.loads(with_adapter)["metrics"])
    )
    assert found == pytest.approx(wanted, rel=1e-3)
    saved, rebuilt = (json.loads((tmp_path / each / "config.json").read_text()) for each in ("out", "merged"))
    assert {key: rebuilt.get(key) for key in saved if "number" in key} == {
        key: value for key, value in saved.items() if "number" in key
    }
    # To train on, an adapter is no model.
    again = {**settings, "model_name_or_path": str(tmp_path / "out"), "output_dir": str(tmp_path / "again")}
    assert main(["train", "--config", recipe(**again)]) == 2


def merge(adapter, folder):
    model, tokenizer = load_trained(EvaluationArguments(model_name_or_path=str(adapter), dtype="float32"))
    model.merge_and_unload().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.mark.parametrize("name", ["rt", "xval"])
def test_an_adapter_that_came_without_its_system(name, recipe, tmp_path, capsys):
    """As peft saves it, alone: on the plain base model it would be scored as something else."""
    save_model(tmp_path / "model", "llama")
    config = recipe(save_strategy="no", **SYSTEMS[name])
    assert main(["train", "--config", config]) == 0
    (tmp_path / "out" / "config.json").unlink()
    capsys.readouterr()
    assert evaluate(config, tmp_path / "out") == 2
    assert_one_line(capsys, "the model is a plain one|the model is none of xVal's")


@pytest.mark.parametrize("name", ["rt", "xval", "regression_head"])
def test_a_run_is_resumed_as_it_was(name, recipe, tmp_path, capsys):
    save_model(tmp_path / "model", "llama")
    settings = {**SYSTEMS[name], "use_peft": False}
    assert main(["train", "--config", recipe(**settings)]) == 0
    changes = {"rt": {"rt_encoding": "none"}, "xval": {"number_weight": 7.0}}.get(name, {"number_scaling": "none"})
    again = recipe(**{**settings, **changes, "max_steps": 4})
    capsys.readouterr()
    assert main(["train", "--config", again, "--resume_from_checkpoint", "auto"]) == 2
    assert_one_line(capsys, r"is of another model than this run's \(number_")


def test_a_target_will_do_for_a_regression_head(recipe, tmp_path):
    save_model(tmp_path / "model", "t5")
    (tmp_path / "own").mkdir()
    rows = [json.dumps({"prompt": f"{i}+1=", "target": i + 1}) for i in range(4)]
    (tmp_path / "own" / "train.jsonl").write_text("\n".join(rows))
    changes = {"task": None, "data_path": None, "dataset_name": str(tmp_path / "own"), "use_peft": False}
    assert main(["train", "--config", recipe(**changes, **SYSTEMS["regression_head"])]) == 0


def test_numbers_in_conversations_need_their_places_too(recipe, tmp_path, capsys):
    save_model(tmp_path / "model", "llama")
    (tmp_path / "own").mkdir()
    turns = [{"role": "user", "content": "1+1="}, {"role": "assistant", "content": "1234567"}]
    (tmp_path / "own" / "train.jsonl").write_text(json.dumps({"messages": turns}))
    changes = {"task": None, "data_path": None, "dataset_name": str(tmp_path / "own"), "use_peft": False}
    assert main(["sft", "--config", recipe(**changes, **SYSTEMS["rt_ntl"])]) == 2
    assert_one_line(capsys, "The number 1234567 has digits beyond the places -1 to 4")


@pytest.mark.parametrize("name", ["rt", "xval", "regression_head"])
def test_goes_on_from_what_it_has_become(recipe, name, kind, tmp_path):
    settings = {**SYSTEMS[name], "use_peft": False, "save_strategy": "no"}
    assert main(["train", "--config", recipe(**settings)]) == 0
    again = {"model_name_or_path": str(tmp_path / "out"), "output_dir": str(tmp_path / "again"), "learning_rate": 0.0}
    assert main(["train", "--config", recipe(**{**settings, **again})]) == 0
    first, second = (tmp_path / folder / "model.safetensors" for folder in ("out", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_a_regression_transformer_through_sft(recipe, tmp_path):
    save_model(tmp_path / "model", "llama")
    assert main(["sft", "--config", recipe(use_peft=False, **SYSTEMS["rt_ntl"])]) == 0
    assert evaluate(recipe(), tmp_path / "out") == 0
    metrics = json.loads((tmp_path / "out" / "evaluation" / "metrics.json").read_text())["metrics"]
    assert 0 < metrics["number_mass"]["value"] < 1


def test_digits_of_a_tokenizer_with_pieces_of_several(recipe, tmp_path):
    from tests.downloads import real_tokenizer
    from tests.tiny import tiny_model

    tokenizer = real_tokenizer("gpt2")
    tiny_model("llama", vocab_size=len(tokenizer)).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    settings = {"split_digits": True, "use_peft": False, "save_strategy": "no"}
    assert main(["train", "--config", recipe(**settings)]) == 0
    from transformers import AutoTokenizer

    saved = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert saved.tokenize("a 2024 b") == ["a", "Ġ", "2", "0", "2", "4", "Ġb"]


REFUSED = {
    "a weight that nothing has": ({"system": "xval"}, "set `ntl_weight: 0`"),
    "a head with a number loss": ({"system": "regression_head"}, "set `ntl_weight: 0`"),
    "pictures of no digits": ({"system": "xval", "ntl_weight": 0, "ntl_plots": True}, "`ntl_plots` draws digits"),
    "an option of another system": ({"rt_encoding": "float"}, "`rt_encoding` is an option of `system: rt`"),
    "scaling of text": (
        {"system": "rt", "number_scaling": "range"},
        "`number_scaling` is an option of `system: xval`",
    ),
    "no such system": ({"system": "xvalue"}, "choose one of: standard, rt, xval, regression_head"),
    "no such scaling": ({"system": "xval", "ntl_weight": 0, "number_scaling": "log"}, "choose one of: none, range"),
    "one place": ({"system": "rt", "rt_places": [3]}, "give two places"),
    "places that make no sense": ({"system": "rt", "rt_places": [1, 4]}, "places"),
    "a number beyond the places": ({"system": "rt", "rt_places": [0, 1]}, "digits beyond the places 0 to 1"),
    "place values without bounds": ({"system": "rt", "rt_place_values": True}, "Set `ntl_squash_factor`"),
    "place values without a loss": (
        {"system": "rt", "rt_places": [0, 3], "rt_place_values": True, "ntl_weight": 0},
        "`rt_place_values` is for the number loss",
    ),
    "targets by distance": ({"system": "rt", "ntl_loss": "dist2"}, "`ntl_loss: dist2` shares the target out"),
    "a weight without end": (
        {"system": "xval", "ntl_weight": 0, "number_weight": float("inf")},
        "`number_weight` is inf",
    ),
    "digits twice": ({"system": "rt", "split_digits": True}, "has digit tokens of its own"),
    "digits of no digits": ({"system": "xval", "ntl_weight": 0, "split_digits": True}, "nothing to split"),
    "digits that are split already": ({"split_digits": True}, "use it as it is"),
    "rows that do not exist": (
        {"system": "xval", "ntl_weight": 0, "train_number_rows": True},
        "`train_number_rows` is for numbers that are written in digits",
    ),
    "generation of numbers": (
        {"system": "xval", "ntl_weight": 0, "predict_with_generate": True},
        "`predict_with_generate` is for text alone",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_line(case, recipe, tmp_path, capsys):
    save_model(tmp_path / "model", "t5")
    changes, message = REFUSED[case]
    assert main(["train", "--config", recipe(**changes)]) == 2
    assert_one_line(capsys, message)
    assert not (tmp_path / "out").exists()


OTHERWISE = {
    "rt": ({"rt_places": [0, 7]}, r"`rt_places` is \[0, 7\], but .* was made with \[-1, 4\]"),
    "xval": ({"number_scaling": "signed_log"}, "`number_scaling` is signed_log, but .* was made with range"),
    "regression_head": ({"number_scaling": "range"}, "`number_scaling` is range, but .* was made with signed_log"),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_a_model_is_made_with_stays(name, recipe, tmp_path, capsys):
    save_model(tmp_path / "model", "llama")
    settings, (changes, message) = {"use_peft": False, "save_strategy": "no", **SYSTEMS[name]}, OTHERWISE[name]
    assert main(["train", "--config", recipe(**settings)]) == 0
    capsys.readouterr()
    again = {"model_name_or_path": str(tmp_path / "out"), "output_dir": str(tmp_path / "again")}
    assert main(["train", "--config", recipe(**{**settings, **again, **changes})]) == 2
    assert_one_line(capsys, message)


@every_system
def test_from_random_weights(recipe, name, kind, tmp_path):
    """The seed decides over all of them, those of the system included."""
    settings = {**SYSTEMS[name], "use_peft": False, "from_scratch": True, "save_strategy": "no", "max_steps": 1}
    for out in ("first", "second"):
        assert main(["train", "--config", recipe(output_dir=str(tmp_path / out), **settings)]) == 0
    first, second = (tmp_path / out / "model.safetensors" for out in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


# Except that a Regression Transformer trains on as any model does.
MIXED = [
    (name, other)
    for name in ("rt", "xval", "regression_head")
    for other in ("standard", "rt", "xval", "regression_head")
    if other != name and (name, other) != ("rt", "standard")
]


@pytest.mark.parametrize(("name", "other"), MIXED)
def test_systems_are_not_mixed(name, other, recipe, tmp_path, capsys):
    save_model(tmp_path / "model", "llama")
    settings = {"use_peft": False, "save_strategy": "no"}
    assert main(["train", "--config", recipe(**settings, **SYSTEMS[name])]) == 0
    capsys.readouterr()
    again = {"model_name_or_path": str(tmp_path / "out"), "output_dir": str(tmp_path / "again"), **settings}
    assert main(["train", "--config", recipe(**again, **SYSTEMS.get(other, {}))]) == 2
    assert_one_line(capsys, f"was trained with `system: {name}` and cannot go on as '{other}'")


def test_tokens_are_not_decoded_from_a_number_head(recipe, tmp_path, capsys):
    save_model(tmp_path / "model", "llama")
    config = recipe(use_peft=False, save_strategy="no", **SYSTEMS["xval"])
    assert main(["train", "--config", config]) == 0
    for words, message in (
        (("--number_decoding", "median"), "`number_decoding` is for models that write numbers in tokens"),
        (("--num_beams", "2"), "`num_beams` must be 1 for xVal"),
    ):
        capsys.readouterr()
        assert evaluate(config, tmp_path / "out", *words) == 2
        assert_one_line(capsys, message)


@pytest.mark.parametrize("name", ["rt_ntl", "xval", "regression_head"])
def test_two_processes_are_one(name, recipe, tmp_path):
    """Under DDP, the losses of a step are those of one process that has all the rows."""
    save_model(tmp_path / "model", "t5")
    settings = {**SYSTEMS[name], "use_peft": False, "max_steps": 3, "optim": "sgd", "learning_rate": 0.1}
    settings |= {"lr_scheduler_type": "constant", "logging_steps": 1, "average_tokens_across_devices": True}
    config = recipe(**settings, per_device_train_batch_size=2, output_dir=str(tmp_path / "two"))
    run = run_command("train", "--config", config, processes=2)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "Training in 2 processes, MULTI_CPU." in run.stderr or "Training in 2 processes, MULTI_GPU." in run.stderr
    config = recipe(**settings, per_device_train_batch_size=4, output_dir=str(tmp_path / "one"))
    assert main(["train", "--config", config]) == 0
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    assert yaml.safe_load((tmp_path / "two" / "config.json").read_text())
