"""`ntl-hf quickstart`: the data and its best possible scores, the pairing, the report, and the command end to end."""

import json
import math
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import fmean, pstdev

import pytest

from ntl_hf.cli.main import main
from ntl_hf.cli.quickstart import claim_folder
from ntl_hf.compare.processes import Pool, Slot
from ntl_hf.compare.quickstart.recipe import (
    BASELINE,
    PICTURE,
    RESULTS,
    VARIANTS,
    WITH_NTL,
    Cell,
    make_cells,
    make_settings,
)
from ntl_hf.compare.quickstart.report import summarize
from ntl_hf.compare.quickstart.tasks import (
    LARGEST,
    NOISE_SD,
    TASKS,
    TOKENS_PER_ANSWER,
    best_possible,
    make_rows,
    score,
)
from ntl_hf.compare.quickstart.train_all import RunFailedError, RunKilledError, run_all

# torch and what needs it are imported in the tests: the processes of `run_all` import this file.

READINGS, ARITHMETIC = TASKS
by_name = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


# ---- The data ----


@by_name
def test_equal_seeds_give_equal_rows_and_others_do_not(task):
    rows = make_rows(task, 50, seed=3)
    assert rows.column_names == ["prompt", "completion", "value", "mean"]
    assert rows.to_list() == make_rows(task, 50, seed=3).to_list()
    assert rows.to_list() != make_rows(task, 50, seed=4).to_list()
    # A longer split begins with the shorter one, so that the curve rows are test rows.
    assert rows.to_list() == make_rows(task, 80, seed=3).to_list()[:50]


@by_name
def test_prompts_of_one_width_state_the_noise_free_answer(task):
    rows = make_rows(task, 500, seed=0)
    assert len({len(prompt) for prompt in rows["prompt"]}) == 1
    for row in rows:
        assert eval(re.sub(r"\b0+(?=\d)", "", row["prompt"].rstrip("="))) == row["mean"]
        assert row["completion"] == f"{row['value']:03d}" and 0 <= row["value"] <= LARGEST


def test_arithmetic_has_all_three_operations_and_no_noise():
    rows = make_rows(ARITHMETIC, 300, seed=0)
    assert {prompt[2] for prompt in rows["prompt"]} == set("+-*")
    assert rows["value"] == rows["mean"]


@by_name
def test_excluded_prompts_do_not_occur(task):
    test = make_rows(task, 400, seed=0)
    assert set(make_rows(task, 400, seed=0, exclude=test["prompt"])["prompt"]).isdisjoint(test["prompt"])


def test_the_noise_has_the_stated_spread():
    rows = make_rows(READINGS, 5000, seed=1)
    noise = [value - mean for value, mean in zip(rows["value"], rows["mean"], strict=True)]
    # Five standard errors; rounding adds a variance of 1/12, which is far below that.
    assert abs(fmean(noise)) < 5 * NOISE_SD / math.sqrt(5000)
    assert abs(pstdev(noise) - NOISE_SD) < 5 * NOISE_SD / math.sqrt(2 * 5000)


# ---- The best possible ----


def test_best_possible_scores_of_readings_agree_with_the_gaussian():
    n = 5000
    rows = make_rows(READINGS, n, seed=1)
    best = best_possible(READINGS, rows["value"], rows["mean"])
    # The half-normal distribution: mean sd * sqrt(2/pi), standard deviation sd * sqrt(1 - 2/pi), median 0.6745 sd.
    assert best["mae"] == pytest.approx(NOISE_SD * math.sqrt(2 / math.pi), abs=5 * 0.603 * NOISE_SD / math.sqrt(n))
    assert best["median_ae"] == pytest.approx(0.6745 * NOISE_SD, abs=1)
    # The entropy of a Gaussian, over the three digits and the end token.
    entropy = math.log(NOISE_SD * math.sqrt(2 * math.pi * math.e))
    assert best["ce"] * TOKENS_PER_ANSWER == pytest.approx(entropy, abs=5 * math.sqrt(0.5 / n))
    assert best["unreadable"] == 0


@pytest.mark.parametrize("shift", [-4, 4])
def test_no_shifted_answer_beats_the_best_possible(shift):
    rows = make_rows(READINGS, 3000, seed=2)
    best = best_possible(READINGS, rows["value"], rows["mean"])
    shifted = score([f"{mean + shift:03d}" for mean in rows["mean"]], rows["value"])
    assert shifted["mae"] > best["mae"] and shifted["r2"] < best["r2"]


def test_best_possible_of_arithmetic_is_perfection():
    rows = make_rows(ARITHMETIC, 100, seed=2)
    best = best_possible(ARITHMETIC, rows["value"], rows["mean"])
    expected = {"exact_match": 1, "mae": 0, "median_ae": 0, "r2": 1, "unreadable": 0, "ce": 0, "number_mass": 1}
    assert best == expected


# ---- Scores and summaries, worked by hand ----


def test_scores_by_hand_with_an_unreadable_answer():
    scores = score(["100", "210", "4=2"], [100, 200, 300])
    # The unreadable answer is charged 999 - 300, which is more than 300 - 0.
    assert scores == {
        "exact_match": pytest.approx(1 / 3),
        "mae": pytest.approx((0 + 10 + 699) / 3),
        "median_ae": 10,
        "r2": pytest.approx(1 - (10**2 + 699**2) / 20000),
        "unreadable": pytest.approx(1 / 3),
    }


@pytest.mark.parametrize("answer", ["", "0511", "-12", "1 2", "<pad>12", "１２", "12\n"])
def test_unreadable_answers_cost_the_largest_error(answer):
    scores = score([answer], [700])
    assert (scores["mae"], scores["unreadable"], scores["exact_match"]) == (700, 1, 0)


def test_an_answer_without_its_leading_zero_is_read():
    assert score(["42"], [42])["exact_match"] == 1


def runs_by_hand():
    maes = {(BASELINE, 0): 10.0, (WITH_NTL, 0): 9.0, (BASELINE, 1): 14.0, (WITH_NTL, 1): 15.0}
    names = ("exact_match", "median_ae", "r2", "ce", "number_mass", "unreadable")
    curves = {"step": [1, 2], "ce": [2.0, 1.0], "number_mae": [3.0, 2.0]}
    return [
        {"task": task.name, "variant": variant, "seed": seed, "curves": curves}
        | {"scores": {"mae": mae, **dict.fromkeys(names, 0.5)}}
        for task in TASKS
        for (variant, seed), mae in maes.items()
    ]


def results_by_hand(*_):
    best = {"exact_match": 1, "mae": 7.0, "median_ae": 0, "r2": 1, "ce": 0, "number_mass": 1, "unreadable": 0}
    tasks = [
        {"name": task.name, "title": task.title, "best_possible": best, "best_ce_on_curve_rows": 1.0} for task in TASKS
    ]
    return {"tasks": tasks, "runs": runs_by_hand(), "summary": summarize(runs_by_hand())}


def test_summary_by_hand():
    summary = summarize(runs_by_hand())
    assert list(summary) == [task.name for task in TASKS]
    mae = {name: scores["mae"] for name, scores in summary["readings"].items()}
    assert mae[BASELINE] == {"mean": 12, "sd": pytest.approx(math.sqrt(8))}
    assert mae[WITH_NTL] == {"mean": 12, "sd": pytest.approx(math.sqrt(18))}
    assert mae["difference"] == {"mean": 0, "sd": pytest.approx(math.sqrt(2))}


def test_differences_are_paired_by_seed_and_one_seed_has_no_spread():
    runs = [run for run in reversed(runs_by_hand()) if run["task"] == "readings"]
    # Seed by seed -1 and 1; paired otherwise, -5 and 5.
    assert summarize(runs)["readings"]["difference"]["mae"] == {"mean": 0, "sd": pytest.approx(math.sqrt(2))}
    single = summarize([run for run in runs if run["seed"] == 1])["readings"]
    assert single["difference"]["mae"] == {"mean": 1, "sd": None}


def test_report_shows_both_variants_their_difference_and_the_best_possible(capsys):
    from rich.console import Console

    from ntl_hf.compare.quickstart.report import print_report

    print_report(Console(width=100), results_by_hand())
    out = capsys.readouterr().out
    assert re.search(r"MAE +12\.00 . 2\.83 +12\.00 . 4\.24 +\+0\.00 . 1\.41 +7\.00", out)
    assert re.search(r"Exact match \(%\) +50\.0 . 0\.0", out)
    assert out.count("lower in 1, higher in 1 of 2 paired seeds") == len(TASKS)


def test_a_score_that_is_nan_in_one_seed_is_a_dash_and_the_others_are_shown(capsys):
    from rich.console import Console

    from ntl_hf.compare.quickstart.report import print_report

    results = results_by_hand()
    results["runs"][1]["scores"]["ce"] = math.nan
    results["summary"] = summarize(results["runs"])
    assert results["runs"][1]["variant"] == WITH_NTL
    readings = results["summary"]["readings"]
    assert readings[BASELINE]["ce"] == {"mean": 0.5, "sd": 0}
    assert math.isnan(readings[WITH_NTL]["ce"]["mean"]) and math.isnan(readings[WITH_NTL]["ce"]["sd"])
    # Over the other seed alone it would not be the difference of the two means.
    assert math.isnan(readings["difference"]["ce"]["mean"])
    print_report(Console(width=100), results)
    out = capsys.readouterr().out
    assert re.search(r"CE \(nats/token\) +0\.500 . 0\.000 +[–-] +[–-] +0\.000", out)
    assert re.search(r"MAE +12\.00 . 2\.83 +12\.00 . 4\.24 +\+0\.00 . 1\.41 +7\.00", out)


def test_learning_curves_are_the_evaluations_of_the_log():
    from ntl_hf.compare.quickstart.training import learning_curves

    point = {"eval_ce_loss": 2.0, "eval_number_mae": 1.5, "eval_loss": 2.2, "step": 5}
    log = [{"loss": 3.0, "step": 5}, point, {**point, "eval_ce_loss": 1.0, "step": 10}, {"train_loss": 1, "step": 10}]
    assert learning_curves(log) == {"step": [5, 10], "ce": [2.0, 1.0], "number_mae": [1.5, 1.5]}


# ---- Training ----


class FixedModel:
    """Answers every prompt with the same tokens."""

    def __init__(self, answer):
        self.answer = answer

    def eval(self):
        pass

    def generate(self, input_ids, **_):
        import torch

        return torch.cat([input_ids, torch.tensor([self.answer] * len(input_ids))], dim=1)


def test_an_answer_ends_at_the_end_token_and_keeps_other_special_tokens():
    from ntl_hf.compare.quickstart.training import char_tokenizer, greedy_answers

    tokenizer = char_tokenizer()
    one, two, three = tokenizer("123")["input_ids"]
    end, unknown = tokenizer.eos_token_id, tokenizer.unk_token_id
    prompts = ["10+10=", "20+20=", "30+30="]
    assert greedy_answers(FixedModel([one, two, end, three]), tokenizer, prompts, batch_size=2) == ["12"] * 3
    # Dropping it would turn rubbish into a number.
    assert greedy_answers(FixedModel([one, unknown, two, end]), tokenizer, prompts) == ["1<unk>2"] * 3


def test_prompts_and_answers_are_one_token_a_character():
    from ntl_hf.compare.quickstart.training import char_tokenizer

    tokenizer = char_tokenizer()
    for task in TASKS:
        for row in make_rows(task, 100, seed=0):
            ids = tokenizer(row["prompt"] + row["completion"])["input_ids"]
            assert len(ids) == len(row["prompt"]) + 3 and tokenizer.unk_token_id not in ids


def train_and_record(variant, seed, folder):
    """Initial weights, the batches in the order of training, and the final weights."""
    import torch

    from ntl_hf.compare.quickstart.training import make_data, make_trainer

    settings = make_settings(debug=True)
    torch.rand(1)  # what ran before in this process must not matter
    trainer = make_trainer(Cell("readings", variant, seed), settings, make_data(READINGS, seed, settings), str(folder))
    initial = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    batches, stock = [], trainer.training_step
    trainer.training_step = lambda model, inputs, *rest: (
        batches.append(inputs["input_ids"].tolist()) or stock(model, inputs, *rest)
    )
    trainer.train()
    return initial, batches, trainer.model.state_dict()


def test_one_seed_gives_both_variants_the_same_start_and_the_same_batches(tmp_path):
    import torch

    initial, batches, final = train_and_record(BASELINE, 0, tmp_path)
    initial_ntl, batches_ntl, final_ntl = train_and_record(WITH_NTL, 0, tmp_path)
    initial_other, batches_other, _ = train_and_record(BASELINE, 1, tmp_path)
    weight = "model.embed_tokens.weight"
    assert len(batches) == make_settings(debug=True)["steps"] and batches == batches_ntl
    assert all(torch.equal(value, initial_ntl[name]) for name, value in initial.items())
    assert batches_other != batches and not torch.equal(initial_other[weight], initial[weight])
    # The variants do differ, in what they are trained with.
    assert not torch.equal(final[weight], final_ntl[weight])


def test_every_seed_and_task_has_both_variants():
    cells = make_cells(["a", "b"], seeds=2)
    assert len(cells) == len(set(cells)) == 2 * 2 * len(VARIANTS)
    assert cells[0] == Cell("a", BASELINE, 0) and cells[1] == Cell("a", WITH_NTL, 0)


# ---- Side by side ----


def fake_train(given, tell):
    """Stands in for a training; in the processes it is imported by its name."""
    cell, folder = given
    if cell == "fail":
        raise ZeroDivisionError("on purpose")
    if cell == "die":
        os._exit(9)
    if cell == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    if isinstance(cell, Path):
        for step in range(400):
            time.sleep(0.05)
            tell(step / 400)
        cell.touch()
    if cell == "wait":
        Path(folder, "there").touch()
        time.sleep(60)
    tell(1.0)
    return f"did {cell}"


def run_fakes(cells, jobs, on_result=lambda result: None):
    from rich.console import Console

    return run_all(Pool(fake_train, [Slot()] * jobs), cells, Console(stderr=True), 10, on_result)


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_cells(jobs):
    seen = []
    results = run_fakes(["a", "b", "c"], jobs, seen.append)
    assert results == ["did a", "did b", "did c"]
    assert sorted(seen) == results


@pytest.mark.parametrize(
    ("cell", "error"), [("fail", RunFailedError), ("die", RunKilledError), ("terminate", RunKilledError)]
)
def test_a_failing_run_stops_the_others_and_is_reported(cell, error, tmp_path):
    marker, before = tmp_path / "finished", multiprocessing.active_children()
    with pytest.raises(error, match="ZeroDivisionError: on purpose" if cell == "fail" else "killed"):
        run_fakes([marker, cell], 2)
    assert multiprocessing.active_children() == before and not marker.exists()


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_stops_the_runs_and_leaves_no_files(number, error, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def send():
        while not list(tmp_path.glob("*/0/there")):
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()
    with pytest.raises(error):
        run_fakes(["wait", "a"], 1)
    assert not multiprocessing.active_children() and not list(tmp_path.iterdir())


# ---- The command ----


def run_command(*argv):
    return main(["quickstart", *map(str, argv)])


# Of sockets of this machine the processes have need.
NO_NETWORK = """
import socket

def refuse(*args, **kwargs):
    raise AssertionError("the quickstart opened a connection")

connect = socket.socket.connect
socket.socket.connect = lambda self, *args: (connect if self.family == socket.AF_UNIX else refuse)(self, *args)
socket.getaddrinfo = refuse
"""


def test_a_run_of_one_seed(tmp_path, capfd):
    out = tmp_path / "out"
    assert run_command("--debug", "--seeds", 1, "--steps", 2, "--jobs", 1, "--output_dir", out) == 0
    results = json.loads((out / RESULTS).read_text())
    assert [(run["task"], run["variant"], run["seed"]) for run in results["runs"]] == [
        (task.name, variant, 0) for task in TASKS for variant in VARIANTS
    ]
    assert all(run["curves"]["step"][-1] == 2 and run["scores"]["ce"] > 0 for run in results["runs"])
    assert results["summary"] == summarize(results["runs"]) and (out / PICTURE).exists()
    assert str(out / PICTURE) in capfd.readouterr().out


@pytest.mark.slow
def test_debug_run_end_to_end(tmp_path):
    """In a process of its own, as for a user: what the libraries print has no chance before it."""
    folder = tmp_path / "new" / "out"
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (tmp_path, Path(__file__).parents[2])))
    words = ["quickstart", "--debug", "--jobs", "1", "--output_dir", str(folder)]
    command = [sys.executable, "-m", "ntl_hf.cli.main", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    out, err = done.stdout, done.stderr
    assert done.returncode == 0, err
    results = json.loads((folder / RESULTS).read_text())
    settings = make_settings(debug=True)

    assert len(results["runs"]) == 2 * settings["seeds"] * len(TASKS)
    for run in results["runs"]:
        assert run["curves"]["step"] == [2, 4, 6] and len(run["curves"]["ce"]) == 3
        assert 0 < run["scores"]["number_mass"] <= 1 and run["scores"]["ce"] > 0
    assert results["summary"] == summarize(results["runs"])
    for task in results["tasks"]:
        assert f"{task['best_possible']['mae']:.2f}" in out
        assert f"{results['summary'][task['name']][WITH_NTL]['mae']['mean']:.2f} ± " in out
    assert "…" not in out and "eval_" not in out and str(folder / PICTURE) in out
    assert (folder / PICTURE).read_bytes().startswith(b"\x89PNG") and (folder / PICTURE).stat().st_size > 20_000
    # Off a terminal: one line a run, and nothing from the libraries.
    assert len(err.splitlines()) == len(results["runs"])
    assert all(re.fullmatch(r"\w+, CE( \+ NTL)?, seed \d: MAE [\d.]+", line) for line in err.splitlines())


def test_without_matplotlib_it_says_so_once_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ntl_hf.compare.quickstart.train_all.quickstart", results_by_hand)
    assert run_command("--output_dir", tmp_path) == 0
    assert (tmp_path / PICTURE).exists()
    capsys.readouterr()

    monkeypatch.setattr("ntl_hf.plots.find_spec", lambda name: None)
    assert run_command("--output_dir", tmp_path) == 0
    out, err = capsys.readouterr()
    assert err.count("matplotlib") == 1 and "ntl-hf[plots]" in err and len(err.splitlines()) == 1
    # The picture of the run before does not belong to these results.
    assert PICTURE not in out and not (tmp_path / PICTURE).exists() and (tmp_path / RESULTS).exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--steps", 0], "`--steps` is 0"),
        (["--seeds", -1], "`--seeds` is -1"),
        (["--jobs", 0], "`--jobs` is 0"),
        (["--output_dir", "a_file"], "is a file"),
        (["--output_dir", "a_file/below"], "cannot be made"),
        (["--output_dir", "full"], "is not empty"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_before_training(argv, message, tmp_path, capsys, monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("training started")

    monkeypatch.setattr("ntl_hf.compare.quickstart.train_all.quickstart", train)
    monkeypatch.chdir(tmp_path)
    Path("a_file").touch()
    Path("full").mkdir()
    Path("full/thesis.tex").touch()
    assert run_command(*argv) == 2
    out, err = capsys.readouterr()
    assert message in err and len(err.splitlines()) == 1 and not out
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a_file", "full", "thesis.tex"]


def test_an_interrupted_run_says_so_and_writes_nothing(tmp_path, capsys, monkeypatch):
    def train(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("ntl_hf.compare.quickstart.train_all.quickstart", train)
    assert run_command("--output_dir", tmp_path) == 130
    assert "interrupted" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_killed_process_is_one_line_and_exit_code_1(tmp_path, capsys, monkeypatch):
    def train(*args, **kwargs):
        raise RunKilledError("killed")

    monkeypatch.setattr("ntl_hf.compare.quickstart.train_all.quickstart", train)
    assert run_command("--output_dir", tmp_path) == 1
    err = capsys.readouterr().err
    assert "--jobs 1" in err and len(err.splitlines()) == 1


def test_folders_that_are_taken(tmp_path):
    for folder in (tmp_path / "new", tmp_path / "new"):  # made, then empty
        claim_folder(folder)
    (tmp_path / "new" / RESULTS).touch()
    (tmp_path / "new" / "notes.txt").touch()
    claim_folder(tmp_path / "new")


def test_given_numbers_override_the_defaults_of_a_debug_run():
    debug, sizes = make_settings(5, 7, True), make_settings()
    assert make_settings(seeds=5, steps=7, debug=True) == debug
    assert (debug["seeds"], debug["steps"]) == (5, 7)
    assert debug["train_rows"] == make_settings(debug=True)["train_rows"] < sizes["train_rows"]
    assert (sizes["seeds"], sizes["steps"]) == (3, 800)
