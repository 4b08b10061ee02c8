"""`ntl-hf compare` on a tiny model: from the file to the report, resuming, failures, interrupts, and refusals."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import yaml

from ntl_hf.cli.main import main
from tests.processes import run_command
from tests.recipe import prepare_recipe

VARIANTS = {"CE": {"ntl_weight": 0}, "CE + NTL": {"ntl_weight": 0.3}}


@pytest.fixture
def compare(tmp_path):
    """Writes the file of a comparison, with changes to it and to its recipe, and returns its path."""
    settings = prepare_recipe(tmp_path, rows=16) | {"max_steps": 4, "per_device_train_batch_size": 2}

    def write(recipe=(), **changes):
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(settings | dict(recipe)))
        content = {
            "command": "sft",
            "recipe": "recipe.yaml",
            "seeds": [1, 2],
            "baseline": "CE",
            "variants": VARIANTS,
            "evaluations": {"test": {"max_eval_samples": 6, "max_new_tokens": 4}},
            "metrics": ["number_accuracy", "unreadable", "cross_entropy"],
            "output_dir": str(tmp_path / "compared"),
        }
        path = tmp_path / "compare.yaml"
        path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
        return str(path)

    return write


def run(path, *words):
    return main(["compare", "--config", path, "--jobs", "2", *words])


def read(path):
    return json.loads(path.read_text())


def logged(cell, key="ce_loss"):
    return {line["step"]: line[key] for line in read(cell / "trainer_state.json")["log_history"] if key in line}


def times(folder, *names):
    found = [path for name in names for path in folder.rglob(name) if "checkpoint" not in str(path)]
    return {path: path.stat().st_mtime_ns for path in found}


def test_debug_run_end_to_end(compare, tmp_path, capfd):
    folder = tmp_path / "elsewhere"
    words = ("--debug", "--output_dir", str(folder), "--max_length", "64", "--max_steps", "2")
    assert run(compare(), *words) == 0
    out = capfd.readouterr().out
    assert f"Debug run of 2 variants, seeds 1: {folder}" in out
    cells = {cell.name: cell for cell in (folder / "cells").iterdir()}
    assert set(cells) == {"ce-seed1", "ce-ntl-seed1"} and not (tmp_path / "compared").exists()
    for name, weight in (("ce-seed1", 0), ("ce-ntl-seed1", 0.3)):
        assert read(cells[name] / "ntl_config.json")["weight"] == weight
        record = read(cells[name] / "cell.json")
        assert (record["settings"]["max_length"], record["settings"]["max_steps"]) == (64, 2)
        assert record["settings"]["max_train_samples"] and record["seed"] == 1 and record["versions"]["torch"]
        assert {"metrics.json", "predictions.jsonl"} <= {p.name for p in (cells[name] / "evaluation/test").iterdir()}
    # One seed: the same weights and the same rows before the first update, whatever the loss.
    first, other = logged(cells["ce-seed1"]), logged(cells["ce-ntl-seed1"])
    assert first[1] == other[1] and first[2] != other[2]
    report = (folder / "report.md").read_text()
    assert "A debug run" in report and "| CE + NTL | 1 | 0.3 | was | – | – |" in report and "Missing" not in report
    assert len(list((folder / "plots").glob("*.png"))) == 4 and str(folder / "report.md") in out


def test_a_cell_is_trained_again_by_its_command(compare, tmp_path, monkeypatch):
    """In an empty folder, from the recipe of the cell alone: its weights are the same."""
    path = compare(recipe={"data_path": ".", "model_name_or_path": "model", "hub_token": "s3cr3t"}, seeds=[3])
    monkeypatch.chdir(tmp_path)
    assert run(path, "--only", "CE + NTL", "--weight_decay", "0.1", "--output_dir", "compared") == 0
    cell = tmp_path / "compared" / "cells" / "ce-ntl-seed3"
    note, command = (cell / "command.txt").read_text().splitlines()
    assert note.startswith("#") and note.endswith("hub_token") and "s3cr3t" not in command
    assert "ntl-hf sft --config" in command and read(cell / "cell.json")["resolved"]["weight_decay"] == 0.1
    empty = tmp_path / "empty"
    empty.mkdir()
    # As a shell reads it: variables, the command's name, which may be another package's, and its words.
    words = shlex.split(command)
    name = words.index("ntl-hf")
    variables = dict(word.split("=", 1) for word in words[:name])
    done = run_command(*words[name + 1 :], env=variables, cwd=empty)
    assert done.returncode == 0, done.stderr
    assert (empty / cell.name / "model.safetensors").read_bytes() == (cell / "model.safetensors").read_bytes()


def test_a_debug_run_has_a_new_folder_each_time(compare, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    plans = []
    monkeypatch.setattr("ntl_hf.cli.compare._compare", lambda plan, *_: plans.append(plan) or 0)
    assert run(compare(), "--debug") == run(compare(), "--debug") == 0
    folders = [plan.output_dir for plan in plans]
    assert len(set(folders)) == 2 and all(folder.parent.parent == tmp_path for folder in folders)
    assert all(folder.name == "compared" and folder.parent.name.startswith("ntl-hf-debug-") for folder in folders)


@pytest.mark.slow
def test_finished_cells_are_not_run_again(compare, tmp_path, capsys):
    folder = tmp_path / "compared"
    assert run(compare(), "--only", "CE", "--seeds", "1") == 0
    report = (folder / "report.md").read_text()
    assert "Missing" not in report and "CE + NTL" not in report
    assert "Comparing 1 variants" in capsys.readouterr().out
    before = times(folder, "model.safetensors", "cell.log", "cell.json", "metrics.json")
    assert len(before) == 4
    assert run(compare()) == 0
    assert "1 of 4 cells are finished and skipped." in capsys.readouterr().err
    assert before.items() <= times(folder, "model.safetensors", "cell.log", "cell.json", "metrics.json").items()
    assert len(list(folder.glob("cells/*/cell.json"))) == 4

    # One more evaluation is all that is done; the trainings are left alone.
    before = times(folder, "model.safetensors", "metrics.json")
    both = {"test": {"max_eval_samples": 6, "max_new_tokens": 4}, "train rows": {"dataset_test_split": "train"}}
    assert run(compare(evaluations=both), "--max_eval_samples", "5") == 2
    assert "`max_eval_samples` was not set and is now 5" in capsys.readouterr().err
    both["train rows"] |= {"max_eval_samples": 4, "max_new_tokens": 4}
    assert run(compare(evaluations=both)) == 0
    after = times(folder, "model.safetensors", "metrics.json")
    assert before.items() <= after.items() and len(after) == len(before) + 4

    # The report alone can be had without training, and other settings are refused.
    assert run(compare(evaluations=both), "--report_only", "--only", "CE") == 0
    assert run(compare(evaluations=both, settings={"max_steps": 5})) == 2
    assert "The cell 'CE, seed 1' was made with other settings: `max_steps` was 4 and is" in capsys.readouterr().err
    assert times(folder, "model.safetensors", "metrics.json") == after


@pytest.mark.slow
def test_a_cell_that_fails_leaves_the_others_alone(compare, tmp_path, capsys):
    # A schedule that asks for one more setting, which the trainer finds missing when it begins.
    broken = VARIANTS | {"broken": {"lr_scheduler_type": "cosine_with_min_lr"}}
    assert run(compare(variants=broken), "--seeds", "1") == 1
    err = capsys.readouterr().err
    assert "the cell 'broken, seed 1' failed: ValueError:" in err and "broken-seed1/cell.log" in err
    report = (tmp_path / "compared" / "report.md").read_text()
    assert "Missing, 1 of 3 cells:** broken, seed 1." in report and "- broken, seed 1: ValueError" in report
    assert "| CE + NTL | 1 | 0.3 |" in report


def test_a_cell_that_cannot_be_trained_ends_it_before_the_others(compare, tmp_path, capsys):
    path = compare(evaluations={"test": {"dataset_test_split": "tset"}})
    assert run(path) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ntl-hf: error: ")]
    assert len(lines) == 1 and "evaluation 'test'" in lines[0] and "tset" in lines[0]
    assert not list(tmp_path.glob("compared/cells/*/cell.json"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for processes")
def test_an_interrupted_comparison_goes_on(compare, tmp_path):
    path = compare(recipe={"max_steps": 150, "save_strategy": "steps", "save_steps": 1000})
    words = ["compare", "--config", path, "--jobs", "1", "--seeds", "1", "--only", "CE"]
    process = subprocess.Popen([sys.executable, "-m", "ntl_hf.cli.main", *words], stderr=subprocess.PIPE, text=True)
    log = tmp_path / "compared" / "cells" / "ce-seed1" / "cell.log"
    while not (log.exists() and "'loss'" in log.read_text()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 128 + signal.SIGINT and "the same command goes on" in err
    (checkpoint,) = log.parent.glob("checkpoint-*")
    assert not (log.parent / "cell.json").exists() and not (log.parent / "model.safetensors").exists()

    # A process of its own, as for a user.
    subprocess.run([sys.executable, "-m", "ntl_hf.cli.main", *words], check=True, timeout=200)
    state = read(log.parent / "trainer_state.json")
    assert [line["step"] for line in state["log_history"] if "loss" in line] == list(range(1, 151))
    assert f"{checkpoint.name}" in log.read_text() and (log.parent / "cell.json").exists()


# ---- Refused, before anything is trained or written ----

REFUSED = {
    "no such file": (None, (), "cannot read the recipe nowhere.yaml: no such file"),
    "unknown key": ({"variant": {}}, (), "unknown key 'variant'. Did you mean 'variants'"),
    "unknown baseline": ({"baseline": "CR"}, (), "'baseline' is 'CR'"),
    "unknown metric": ({"metrics": ["accuracy"]}, (), "'metrics' has 'accuracy'"),
    "colliding folders": ({"variants": VARIANTS | {"ce-ntl": {}}}, (), "would share the folder 'ce-ntl'"),
    "unknown setting of a variant": (
        {"variants": VARIANTS | {"x": {"ntl_wieght": 1}}},
        (),
        "variant 'x': unknown key 'ntl_wieght'. Did you mean 'ntl_weight'",
    ),
    "bad value of a variant": ({"variants": VARIANTS | {"x": {"ntl_weight": -1}}}, (), "`ntl_weight` is -1"),
    "bad choice": ({"settings": {"save_strategy": False}}, (), "(YAML reads an unquoted no as false)"),
    "pushing to the hub": (
        {"settings": {"push_to_hub": True}},
        (),
        "variant 'CE': `push_to_hub` would have every cell",
    ),
    "a task of lm_eval without it": (
        {"evaluations": {"test": {"lm_eval_tasks": ["gsm8k"]}}},
        (),
        "evaluation 'test': `lm_eval_tasks` need lm_eval: pip install 'ntl-hf[lm-eval]'",
    ),
    "unknown setting of an evaluation": (
        {"evaluations": {"test": {"max_new_token": 3}}},
        (),
        "evaluation 'test': unknown key 'max_new_token'. Did you mean 'max_new_tokens'",
    ),
    "bad value of an evaluation": ({"evaluations": {"test": {"max_new_tokens": 0}}}, (), "`max_new_tokens` must be 1"),
    "unknown variant": ({}, ("--only", "NTL"), "--only NTL: there is no such variant"),
    "unknown option": ({}, ("--max_step", "3"), "unknown option --max_step. Did you mean 'max_steps'"),
    "option that undoes the variants": ({}, ("--ntl_weight", "1"), "--ntl_weight would undo"),
    "option of a cell": ({}, ("--seed", "1"), "--seed is not for single cells: list the seeds"),
    "two values": ({}, ("--max_steps", "1", "2"), "--max_steps takes one value"),
    "not a number": ({}, ("--max_steps", "many"), "many"),
    "no jobs": ({}, ("--jobs", "0"), "--jobs is 0"),
    "no devices": ({}, ("--devices", ","), "--devices is ','"),
    "a seed twice": ({}, ("--seeds", "1", "1"), "'seeds' has 1 twice"),
    "nothing to report": ({}, ("--report_only",), "there is nothing to report"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_line(case, compare, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ntl_hf.compare.run_cells.make_pool", lambda *args: "trained")
    monkeypatch.setattr("ntl_hf.compare.cells.find_spec", lambda name: None)
    changes, words, message = REFUSED[case]
    path = "nowhere.yaml" if changes is None else compare(**changes)
    assert run(path, *words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ntl-hf: error: ")]
    assert len(lines) == 1 and message in lines[0], lines
    assert not (tmp_path / "compared").exists()


def test_missing_libraries_are_found_before_the_training(compare, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ntl_hf.compare.run_cells.make_pool", lambda *args: "trained")
    monkeypatch.setattr("ntl_hf.evaluation.libraries.find_spec", lambda name: None)
    assert run(compare()) == 2
    assert "pip install 'ntl-hf[evaluation]'" in capsys.readouterr().err and not (tmp_path / "compared").exists()


def test_several_processes_are_refused(compare, capsys, monkeypatch):
    monkeypatch.setitem(os.environ, "WORLD_SIZE", "2")
    assert run(compare()) == 2
    assert "leave out the launcher" in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["compare", "--help"])
    assert exit_.value.code == 0 and "--report_only" in capsys.readouterr().out


def files_with(text, folder):
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.mark.slow
def test_no_file_holds_a_secret_and_the_runs_get_it_all_the_same(compare, tmp_path, capfd):
    """From `env`, nested settings, options of the command line and an evaluation; in every file of the folder."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    secret = "s3cr3t"
    recipe = {
        "env": {"NTL_SECRET_OF_A_TEST": f"{secret}-env"},
        "hub_token": f"{secret}-hub",
        "model_init_kwargs": {"token": f"{secret}-init"},
        # Written down by transformers at the start of a training.
        "report_to": "tensorboard",
        "run_name": f"https://me:{secret}-run@host/name",
        "save_steps": 2,
    }
    evaluations = {"test": {"max_eval_samples": 4, "max_new_tokens": 4, "answer_mark": f"https://x:{secret}-mark@y"}}
    path = compare(recipe, evaluations=evaluations, seeds=[1])
    assert run(path) == 0, capfd.readouterr().err
    cells = list((tmp_path / "compared" / "cells").iterdir())
    assert len(cells) == 2 and all((cell / "checkpoint-4" / "training_args.bin").exists() for cell in cells)
    assert not files_with(secret, tmp_path / "compared")
    # The same command with another token is the same comparison.
    recipe["model_init_kwargs"] = {"token": f"{secret}-new"}
    recipe["env"] = {}
    assert run(compare(recipe, evaluations=evaluations, seeds=[1])) == 0
    assert "2 of 2 cells are finished and skipped" in capfd.readouterr().err
