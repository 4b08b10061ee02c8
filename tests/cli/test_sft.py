"""`ntl-hf sft` on a tiny model in a folder: recipes, overrides, refusals."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from trl import ModelConfig

from ntl_hf import NTLSFTConfig
from ntl_hf.cli.main import main
from ntl_hf.cli.recipes import RecipeParser
from ntl_hf.scripts.data import DataArguments
from ntl_hf.scripts.model import NumberTokenArguments
from tests.tiny import char_tokenizer, sums, tiny_model

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*/*.yaml"))
ARGUMENT_CLASSES = (DataArguments, NumberTokenArguments, NTLSFTConfig, ModelConfig)


@pytest.fixture
def recipe(tmp_path):
    """A recipe for a tiny Llama on local GSM8K-like files, and a function that writes changes to it."""
    tiny_model("llama-tied").save_pretrained(tmp_path / "model")
    char_tokenizer().save_pretrained(tmp_path / "model")
    for split, seed in (("train", 0), ("test", 1)):
        rows = [{"question": r["prompt"], "answer": f"#### {r['completion']}"} for r in sums(16, seed=seed)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = {
        "model_name_or_path": str(tmp_path / "model"),
        "task": "gsm8k",
        "data_path": str(tmp_path),
        "output_dir": str(tmp_path / "out"),
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "logging_steps": 1,
        "use_cpu": True,
        "bf16": False,
        "dtype": "float32",
        "use_peft": True,
        "lora_target_modules": "all-linear",
        "save_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }

    def write(**changes):
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in (settings | changes).items() if v is not None}))
        return str(path)

    return write


def test_trains_and_saves_adapter_and_settings(recipe, tmp_path):
    assert main(["sft", "--config", recipe(ntl_weight=0.5), "--ntl_loss=mae", "--max_steps", "3"]) == 0
    out = tmp_path / "out"
    settings = json.loads((out / "ntl_config.json").read_text())
    assert (settings["weight"], settings["loss"]) == (0.5, "mae")
    assert (out / "adapter_model.safetensors").exists() and (out / "checkpoint-3" / "ntl_config.json").exists()
    logs = json.loads((out / "trainer_state.json").read_text())["log_history"]
    assert [log["step"] for log in logs if "ntl_loss" in log] == [1, 2, 3]


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
    "unknown key": ({"ntl_wieght": 0.3}, [], r"unknown key 'ntl_wieght'; did you mean 'ntl_weight'\?"),
    "unknown option": (
        {},
        ["--learnig_rate", "1"],
        r"unknown option --learnig_rate; did you mean '--learning_rate'\?",
    ),
    "not a number": ({"ntl_weight": "much"}, [], "ntl_weight"),
    "negative weight": ({"ntl_weight": -0.3}, [], "`ntl_weight` is -0.3"),
    "NaN weight": ({"ntl_weight": float("nan")}, [], "`ntl_weight` is nan"),
    "unknown loss": ({"ntl_loss": "hubert"}, [], r"Did you mean 'huber'\?"),
    "no model": ({"model_name_or_path": None}, [], "model_name_or_path"),
    "model not there": ({"model_name_or_path": "./nowhere"}, [], "nowhere"),
    "two data sets": ({"dataset_name": "x"}, [], "Name the data"),
    "no data set": ({"task": None}, [], "Name the data"),
    "data not there": ({"data_path": "./nowhere"}, [], "nowhere"),
    "unknown task": ({"task": "gms8k"}, [], "'task' is 'gms8k'; choose one of: gsm8k"),
    "unknown task as an option": ({}, ["--task", "gms8k"], "invalid choice: 'gms8k'"),
    "unquoted no": ({"save_strategy": False}, [], "unquoted no"),
    "nothing to resume": ({}, ["--resume_from_checkpoint", "True"], "no such checkpoint"),
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


def test_help_names_the_settings(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["sft", "--help"])
    assert exit_.value.code == 0
    assert "--ntl_weight" in capsys.readouterr().out


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_recipe_parses(path, tmp_path):
    """Each key is known, and the argument classes accept the values (on the CPU, where a recipe is for a GPU)."""
    words = ["--config", str(path), "--output_dir", str(tmp_path / "out"), "--use_cpu", "true"]
    data, _, args, model = RecipeParser(ARGUMENT_CLASSES).parse(words)
    assert data.task and model.model_name_or_path and args.ntl_weight > 0
    assert path.read_text().startswith("# Hardware: ")


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
