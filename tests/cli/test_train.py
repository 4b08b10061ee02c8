"""`ntl-hf train` on tiny models of both kinds: full and LoRA, evaluation, resuming, refusals."""

import json

import pytest
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from ntl_hf.cli.main import main
from tests.cli.runs import assert_one_line, log_history, save_model
from tests.tiny import ARCHITECTURES, char_tokenizer, sums, tiny_model


@pytest.mark.parametrize("peft", [True, False])
def test_trains_evaluates_and_saves(recipe, tmp_path, kind, peft):
    out = tmp_path / "out"
    words = [
        "--max_steps",
        "8",
        "--learning_rate",
        "3e-2" if peft else "3e-3",
        "--eval_strategy",
        "steps",
        "--eval_steps",
        "8",
    ]
    assert main(["train", "--config", recipe(use_peft=peft, save_strategy="no"), *words]) == 0
    logs = log_history(out)
    losses = [log["loss"] for log in logs if "ntl_loss" in log]
    assert len(losses) == 8 and min(losses[-3:]) < losses[0]
    (evaluation,) = [log for log in logs if "eval_loss" in log]
    expected = evaluation["eval_ce_loss"] + 0.3 * evaluation["eval_ntl_loss"]
    assert evaluation["eval_loss"] == pytest.approx(expected, rel=1e-3)
    assert json.loads((out / "ntl_config.json").read_text())["weight"] == 0.3
    if peft:
        adapter = json.loads((out / "adapter_config.json").read_text())
        assert adapter["task_type"] == ("SEQ_2_SEQ_LM" if kind == "t5" else "CAUSAL_LM")
    else:
        auto_class = AutoModelForSeq2SeqLM if kind == "t5" else AutoModelForCausalLM
        assert type(auto_class.from_pretrained(out)).__name__ == ARCHITECTURES[kind][1]


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_lora_learns_under_gradient_checkpointing(recipe, tmp_path, kind, use_reentrant):
    changes = {"activation_checkpointing": True, "activation_checkpointing_kwargs": {"use_reentrant": use_reentrant}}
    assert main(["train", "--config", recipe(save_strategy="no", **changes)]) == 0
    norms = [log["grad_norm"] for log in log_history(tmp_path / "out") if "grad_norm" in log]
    assert len(norms) == 2 and min(norms) > 0


def test_the_seed_decides_over_the_adapter_as_well(recipe, tmp_path):
    for name in ("first", "second"):
        assert main(["train", "--config", recipe(save_strategy="no", output_dir=str(tmp_path / name))]) == 0
    first, second = ([log["loss"] for log in log_history(tmp_path / n) if "loss" in log] for n in ("first", "second"))
    assert first == second and len(first) == 2


def test_evaluates_with_generation(recipe, tmp_path):
    save_model(tmp_path / "model")
    words = ["--predict_with_generate", "true", "--generation_max_length", "4", "--eval_strategy", "epoch"]
    config = recipe(max_steps=None, num_train_epochs=1, max_eval_samples=4, save_strategy="no")
    assert main(["train", "--config", config, *words]) == 0
    assert [log["eval_ce_loss"] for log in log_history(tmp_path / "out") if "eval_loss" in log]


def test_resumes(recipe, tmp_path, kind):
    assert main(["train", "--config", recipe()]) == 0
    assert main(["train", "--config", recipe(max_steps=4), "--resume_from_checkpoint", "true"]) == 0
    assert [log["step"] for log in log_history(tmp_path / "out") if "loss" in log] == [1, 2, 3, 4]


def test_adds_digits_to_an_encoder_decoder_and_trains_their_rows(recipe, tmp_path):
    tiny_model("t5").save_pretrained(tmp_path / "model")
    char_tokenizer(" QuestionAswr:#=+").save_pretrained(tmp_path / "model")
    assert main(["train", "--config", recipe(add_digit_tokens=True)]) == 0
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert {len(rows) for rows in config["trainable_token_indices"].values()} == {10}


def test_a_data_set_of_ones_own(recipe, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "train.jsonl").write_text("\n".join(json.dumps({"text": "1+1=2", "id": i}) for i in range(4)))
    changes = {"task": None, "data_path": None, "dataset_name": str(tmp_path / "own")}
    assert main(["train", "--config", recipe(**changes)]) == 0
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_arithmetic_from_files(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    for level in ("train-easy", "train-medium", "train-hard", "interpolate"):
        (tmp_path / level).mkdir()
        lines = [line for row in sums(4) for line in (row["prompt"], row["completion"])]
        (tmp_path / level / "arithmetic__add_sub_multiple.txt").write_text("\n".join(lines) + "\n")
    save_model(tmp_path / "model")
    assert main(["train", "--config", recipe(task="arithmetic"), "--eval_strategy", "steps", "--eval_steps", "2"]) == 0
    assert [log for log in log_history(tmp_path / "out") if "eval_loss" in log]


REFUSED = {
    "unknown key": ({"max_lenght": 3}, "unknown key 'max_lenght'. Did you mean 'max_length'"),
    "a setting of sft": ({"packing": True}, "unknown key 'packing'"),
    "no model": ({"model_name_or_path": None}, "`model_name_or_path` is missing"),
    "model not there": ({"model_name_or_path": "./nowhere"}, "nowhere"),
    "generation by a decoder": ({"predict_with_generate": True}, "`predict_with_generate` is for encoder-decoders"),
    "no data set": ({"task": None, "data_path": None}, "Name the data"),
    "data not there": ({"data_path": "./nowhere"}, "nowhere"),
    "no folder of mathematics": ({"task": "mathematics", "data_path": None}, "needs `data_path`"),
    "modules of another task": ({"modules": ["arithmetic__mul"]}, "`modules` is an option of `task: mathematics`"),
    "too short": ({"max_length": 3}, "Every prompt is 3 tokens"),
    "shorter than nothing": ({"max_length": 0}, "`max_length` is 0"),
    "nothing to resume": ({"resume_from_checkpoint": "true"}, "no complete checkpoint"),
    "quantised in full": ({"load_in_4bit": True, "use_peft": False}, "add `use_peft: true`"),
    "no bitsandbytes": ({"load_in_8bit": True}, r"pip install 'ntl-hf\[qlora\]'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_line(case, recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ntl_hf.runs.model.is_bitsandbytes_available", lambda: False)
    changes, message = REFUSED[case]
    assert main(["train", "--config", recipe(**changes)]) == 2
    assert_one_line(capsys, message)
    assert not (tmp_path / "out").exists()


def test_other_columns_are_refused(recipe, tmp_path, capsys):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "train.jsonl").write_text(json.dumps({"question": "1", "answer": "2"}))
    changes = {"task": None, "data_path": None, "dataset_name": str(tmp_path / "own")}
    assert main(["train", "--config", recipe(**changes)]) == 2
    assert_one_line(capsys, r"columns \['question', 'answer'\]; needed are 'prompt' and 'completion', or 'text'")
    assert not (tmp_path / "out").exists()


def test_the_wrong_command_for_an_encoder_decoder(recipe, tmp_path, capsys):
    save_model(tmp_path / "model")
    assert main(["sft", "--config", recipe()]) == 2
    assert_one_line(capsys, "is an encoder-decoder: train it with `ntl-hf train`")
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_holds_another_run(recipe, tmp_path, capsys):
    assert main(["train", "--config", recipe()]) == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    assert main(["train", "--config", recipe(max_steps=1)]) == 2
    assert_one_line(capsys, "holds another run")
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}


def test_help_names_the_settings(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("--ntl_weight", "--max_length", "--help_all"))
