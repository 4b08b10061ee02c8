"""`ntl-hf sft` on a tiny model in a folder: recipes, overrides, refusals."""

import json
import re
import subprocess
import sys

import pytest
from datasets import Dataset

from ntl_hf.cli.main import main
from tests.tiny import char_tokenizer


def test_trains_and_saves_adapter_and_settings(recipe, tmp_path):
    assert main(["sft", "--config", recipe(ntl_weight=0.5), "--ntl_loss=mae", "--max_steps", "3"]) == 0
    out = tmp_path / "out"
    settings = json.loads((out / "ntl_config.json").read_text())
    assert (settings["weight"], settings["loss"]) == (0.5, "mae")
    assert (out / "adapter_model.safetensors").exists() and (out / "checkpoint-3" / "ntl_config.json").exists()
    logs = json.loads((out / "trainer_state.json").read_text())["log_history"]
    assert [log["step"] for log in logs if "ntl_loss" in log] == [1, 2, 3]


@pytest.mark.parametrize("loss", ["crps:0.5+number:0.1", ["crps:0.5", "number:0.1"], [{"crps": 0.5}, {"number": 0.1}]])
def test_several_losses_as_text_or_list(loss, recipe, tmp_path):
    assert main(["sft", "--config", recipe(ntl_loss=loss, ntl_balance="loss", max_steps=1)]) == 0
    settings = json.loads((tmp_path / "out" / "ntl_config.json").read_text())
    assert (settings["loss"], settings["balance"]) == ("crps:0.5+number:0.1", "loss")
    logs = json.loads((tmp_path / "out" / "trainer_state.json").read_text())["log_history"]
    assert {"ntl_crps_loss", "ntl_number_loss", "ntl_crps_scale"} <= logs[0].keys()


def test_resumes(recipe, tmp_path):
    assert main(["sft", "--config", recipe()]) == 0
    assert main(["sft", "--config", recipe(max_steps=4), "--resume_from_checkpoint", "true"]) == 0
    state = json.loads((tmp_path / "out" / "trainer_state.json").read_text())
    assert [log["step"] for log in state["log_history"] if "loss" in log] == [1, 2, 3, 4]
    # Any spelling of false is no way around the check of the output folder.
    assert main(["sft", "--config", recipe(), "--resume_from_checkpoint", "False"]) == 2


@pytest.mark.parametrize("peft", [True, False])
def test_adds_digits_and_trains_their_rows(recipe, tmp_path, peft):
    letters = char_tokenizer(" QuestionAswr:\n#=+abcdefghijklm")
    letters.save_pretrained(tmp_path / "model")
    assert main(["sft", "--config", recipe(use_peft=peft)]) == 2
    assert main(["sft", "--config", recipe(use_peft=peft, add_digit_tokens=True)]) == 0
    if peft:
        config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
        assert len(config["trainable_token_indices"]["embed_tokens"]) == 10


REFUSED = {
    "unknown key": ({"ntl_wieght": 0.3}, [], r"unknown key 'ntl_wieght'. Did you mean 'ntl_weight'\?"),
    "unknown option": (
        {},
        ["--learnig_rate", "1"],
        r"unknown option --learnig_rate. Did you mean '--learning_rate'\?",
    ),
    "not a number": ({"ntl_weight": "much"}, [], "ntl_weight"),
    "negative weight": ({"ntl_weight": -0.3}, [], "`ntl_weight` is -0.3"),
    "NaN weight": ({"ntl_weight": float("nan")}, [], "`ntl_weight` is nan"),
    "unknown loss": ({"ntl_loss": "hubert"}, [], r"Did you mean 'huber'\?"),
    "unknown loss in a sum": (
        {"ntl_loss": "was+crsp:0.1"},
        [],
        r"at character 5: 'crsp' is unknown. Did you mean 'crps'",
    ),
    "losses that exclude each other": ({"ntl_loss": ["raft", "number"]}, [], "Choose one"),
    "no model": ({"model_name_or_path": None}, [], "model_name_or_path"),
    "model not there": ({"model_name_or_path": "./nowhere"}, [], "nowhere"),
    "two data sets": ({"dataset_name": "x"}, [], "Name the data"),
    "no data set": ({"task": None}, [], "Name the data"),
    "data not there": ({"data_path": "./nowhere"}, [], "nowhere"),
    "unknown task": ({"task": "gms8k"}, [], "'task' is 'gms8k'; choose one of: gsm8k"),
    "unknown task as an option": ({}, ["--task", "gms8k"], "invalid choice: 'gms8k'"),
    "unquoted no": ({"save_strategy": False}, [], "unquoted no"),
    "nothing to resume": ({}, ["--resume_from_checkpoint", "True"], "no complete checkpoint"),
    "no rows wanted": ({}, ["--max_train_samples", "-1"], "must be 1 or more"),
    "config without a path": ({}, ["--config"], "--config needs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_line(case, recipe, tmp_path, capsys):
    changes, flags, message = REFUSED[case]
    words = ["sft", "--config", recipe(**changes), *flags]
    assert main(words if flags != ["--config"] else ["sft", "--config"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("ntl-hf: error: ")
    assert re.search(message, error), error
    assert not (tmp_path / "out").exists()


def test_malformed_files(recipe, tmp_path, capsys):
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1,\nb: 2")
    for words, message in (
        (["--config", str(broken)], "not valid YAML"),
        (["--config", str(tmp_path / "none.yaml")], "cannot read the recipe"),
        (["--config", recipe(), "--config", recipe()], "--config is given twice"),
    ):
        assert main(["sft", *words]) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "train.jsonl").write_text('{"question": "1", "answer": "#### 1"}\n{oops\n')
    assert main(["sft", "--config", recipe()]) == 2
    assert "train.jsonl, line 2: not valid JSON" in capsys.readouterr().err


def test_an_output_folder_that_holds_another_run(recipe, tmp_path, capsys):
    assert main(["sft", "--config", recipe()]) == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    assert main(["sft", "--config", recipe(max_steps=1)]) == 2
    assert "holds another run" in capsys.readouterr().err
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}


def test_an_output_folder_with_a_checkpoint_of_any_name(recipe, tmp_path, capsys):
    (tmp_path / "out" / "checkpoint-best").mkdir(parents=True)
    assert main(["sft", "--config", recipe()]) == 2
    assert "holds another run (checkpoint-best)" in capsys.readouterr().err


def test_a_checkpoint_of_another_folder_does_not_overwrite_this_one(recipe, tmp_path, capsys):
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    for folder in (first, second):
        assert main(["sft", "--config", recipe(), "--output_dir", folder]) == 0
    resume = ["--resume_from_checkpoint", f"{first}/checkpoint-1"]
    assert main(["sft", "--config", recipe(), "--output_dir", second, *resume]) == 2
    assert "holds another run" in capsys.readouterr().err
    assert main(["sft", "--config", recipe(), "--output_dir", str(tmp_path / "third"), *resume]) == 0


def test_an_earlier_checkpoint_does_not_start_a_second_course_in_the_same_folder(recipe, tmp_path, capsys):
    assert main(["sft", "--config", recipe()]) == 0
    first, last = tmp_path / "out" / "checkpoint-1", tmp_path / "out" / "checkpoint-2"
    assert main(["sft", "--config", recipe(), "--resume_from_checkpoint", str(first)]) == 2
    assert "later checkpoints than checkpoint-1 (checkpoint-2)" in capsys.readouterr().err
    (last / "checkpoint_manifest.json").unlink()
    assert main(["sft", "--config", recipe(), "--resume_from_checkpoint", f"{first}/"]) == 0


def test_auto_begins_anew_but_not_over_a_model(recipe, tmp_path, capsys):
    assert main(["sft", "--config", recipe(), "--resume_from_checkpoint", "auto"]) == 0
    for folder in (tmp_path / "out").glob("checkpoint-*"):
        (folder / "checkpoint_manifest.json").unlink()
    assert main(["sft", "--config", recipe(), "--resume_from_checkpoint", "auto"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "holds another run" in error and "--resume_from_checkpoint" not in error
    for name in ("adapter_model.safetensors", "adapter_config.json", "trainer_state.json"):
        (tmp_path / "out" / name).unlink()
    assert main(["sft", "--config", recipe(), "--resume_from_checkpoint", "auto"]) == 0


@pytest.mark.parametrize("command", ["sft", "train"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            '{"prompt": "1+1=", "completion": "2"}\n{"prompt": "1+2=", "completion": null}\n',
            "1 rows have no 'completion'",
        ),
        ('{"prompt": "1+1=", "completion": "2"}\n{oops\n', "rows/train.jsonl, line 2: not valid JSON"),
    ],
)
def test_a_data_set_of_ones_own_that_is_broken(command, rows, message, recipe, tmp_path, capsys):
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "train.jsonl").write_text(rows)
    assert main([command, "--config", recipe(task=None, data_path=None, dataset_name=str(folder))]) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("command", ["sft", "train"])
def test_numbers_of_json_without_columns_are_their_texts(command, recipe, tmp_path):
    """With a prompt of a number, and a completion that would become another."""
    (tmp_path / "rows.json").write_text('[{"prompt": 7, "completion": 2}, {"prompt": "8", "completion": 2.50}]')
    own = recipe(task=None, data_path=None, dataset_name=str(tmp_path / "rows.json"))
    assert main([command, "--config", own]) == 0


NO_TEXTS = {
    "rows.csv": (
        lambda path: path.write_text("prompt,completion\n1+1=,2\n1000+250=,1,250\n"),
        r"rows\.csv, line 3: 3 fields for 2 columns",
    ),
    "rows.parquet": (
        lambda path: Dataset.from_list([{"prompt": "1+1=", "completion": 2.5}]).to_parquet(path),
        "split 'train': the column 'completion' is of type float64; strings are needed",
    ),
}


@pytest.mark.parametrize("name", NO_TEXTS)
@pytest.mark.parametrize("command", ["sft", "train"])
def test_a_data_set_of_ones_own_whose_texts_are_not_known(command, name, recipe, tmp_path, capsys):
    write, message = NO_TEXTS[name]
    write(tmp_path / name)
    assert main([command, "--config", recipe(task=None, data_path=None, dataset_name=str(tmp_path / name))]) == 2
    assert re.search(message, capsys.readouterr().err.strip().splitlines()[-1])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["sft", "train"])
def test_columns_and_streams(command, recipe, tmp_path, monkeypatch, capsys):
    """The numeric target, null in some rows, is passed over by both trainers."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "rows.csv").write_text("q,a\n1+1,2\n1+2,3\n2+2,4\n")
    columns = {"prompt": "{q}=", "completion": " {a}", "target": "a"}
    own = {"task": None, "data_path": None, "dataset_name": str(tmp_path / "rows.csv"), "columns": columns}
    assert main([command, "--config", recipe(**own), "--output_dir", str(tmp_path / "own")]) == 0
    for level in ("train-easy", "train-medium", "train-hard", "interpolate"):
        (tmp_path / level).mkdir()
        (tmp_path / level / "arithmetic__mul.txt").write_text("1+1\n2\na+1\na + 1\n" * 4)
    stream = {"task": "mathematics", "streaming": True, "eval_strategy": "steps", "eval_steps": 2}
    assert main([command, "--config", recipe(**stream)]) == 0
    logs = json.loads((tmp_path / "out" / "trainer_state.json").read_text())["log_history"]
    assert any("eval_ce_loss" in log for log in logs)
    endless = recipe(**stream, max_steps=None)
    assert main([command, "--config", endless, "--output_dir", str(tmp_path / "endless")]) == 2
    assert "max_steps" in capsys.readouterr().err.strip().splitlines()[-1]


def test_help_names_the_settings(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["sft", "--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert "--ntl_weight" in shown and "--accelerate_config" in shown


@pytest.mark.slow
def test_through_accelerate_launch(recipe, tmp_path):
    """As the README starts it; the exit code alone would prove nothing."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1"]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", "--cpu"]
    command += ["-m", "ntl_hf.cli.main", "sft", "--config", recipe(disable_tqdm=False)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr[-2000:]
    logs = json.loads((tmp_path / "out" / "trainer_state.json").read_text())["log_history"]
    assert [log["step"] for log in logs if "ntl_loss" in log] == [1, 2]
    refused = subprocess.run([*command, "--ntl_loss", "waz"], capture_output=True, text=True, timeout=200)
    assert refused.returncode != 0
    assert "ntl-hf: error: `ntl_loss` is 'waz'" in refused.stderr
