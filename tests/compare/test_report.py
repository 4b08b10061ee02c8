"""The report as a function of a folder: hand-worked means and differences, settings as they were saved, pictures."""

import csv
import json

import numpy as np
import pytest
from rich.console import Console

from ntl_hf.compare.report import print_summary, write_report
from ntl_hf.compare.results import read_results
from ntl_hf.compare.summary import summarize
from ntl_hf.plots import can_plot
from tests.compare.hand import VARIANTS, make_cells, make_plan, write_cell

TARGETS = [1, 2, 3, 40]
# (variant, seed) -> predicted numbers; accuracies .5 and .25, then .75 and 1.
NUMBERS = {
    ("CE", 0): [1, 2, 4, None],
    ("CE", 1): [1, 3, 4, 50],
    ("NTL-WAS 0.3", 0): [1, 2, 3, 41],
    ("NTL-WAS 0.3", 1): [1, 2, 3, 40],
}
MAE = {("CE", 0): 1 / 3, ("CE", 1): 3.0, ("NTL-WAS 0.3", 0): 0.25, ("NTL-WAS 0.3", 1): 0.0}
LOG = [{"step": 1, "ce_loss": 2.0, "number_mae": float("nan")}, {"step": 2, "ce_loss": 1.0, "eval_ce_loss": 1.5}]
DISTRIBUTION = {"offset": list(range(-9, 10)), "probability": [0.0] * 9 + [0.9] + [0.1 / 9] * 9}


def metrics_of(key):
    right = np.mean([given == true for given, true in zip(NUMBERS[key], TARGETS, strict=True)])
    return {"number_accuracy": float(right), "mae": MAE[key], "perplexity": None}


def write_all(plan, leave_out=()):
    for cell in make_cells(plan):
        key = cell.variant, cell.seed
        if key not in leave_out:
            write_cell(cell, NUMBERS[key], TARGETS, metrics_of(key), LOG, DISTRIBUTION)
    return make_cells(plan)


def scores_by_hand(plan):
    return {(score.metric, score.variant): score for score in summarize(plan, read_results(write_all(plan)))}


def test_means_and_differences_by_hand(tmp_path):
    scores = scores_by_hand(make_plan(tmp_path))
    baseline, ntl = scores["number_accuracy", "CE"], scores["number_accuracy", "NTL-WAS 0.3"]
    assert (baseline.mean, baseline.sd, baseline.difference) == (0.375, pytest.approx(0.125 * 2**0.5), None)
    assert (ntl.mean, ntl.values) == (0.875, {0: 0.75, 1: 1.0})
    # Seed by seed: +.25 and +.75, t = .5 / (.354 / sqrt 2) = 2 with one degree of freedom: p = 1 - 2 atan(2) / pi.
    assert ntl.difference.mean == 0.5 and ntl.difference.sd == pytest.approx(0.125**0.5)
    assert ntl.difference.p_seeds == pytest.approx(1 - 2 * np.arctan(2) / np.pi)
    mae = scores["mae", "NTL-WAS 0.3"].difference
    # Over the rows that both have answered: in seed 0 the first three, where NTL has no error.
    assert mae.mean == pytest.approx((0 - 1 / 3 + 0 - 3) / 2) and (mae.seeds, mae.cells) == (2, 2)
    # Two comparisons: the smaller p counts twice, and the other one is no smaller.
    smaller, larger = sorted((ntl.difference, mae), key=lambda difference: difference.p_seeds)
    assert smaller.p_holm == pytest.approx(2 * smaller.p_seeds)
    assert larger.p_holm == pytest.approx(max(larger.p_seeds, smaller.p_holm))


def test_silence_does_not_turn_a_difference_around(tmp_path):
    """Who leaves out the hard rows has the smaller MAE, and is worse on those that both have answered."""
    plan = make_plan(tmp_path, metrics=("mae",))
    targets = list(range(0, 400, 10))
    answers = {"CE": [t + 1 for t in targets[:20]] + [t + 90 for t in targets[20:]]}
    answers["NTL-WAS 0.3"] = [t + 2 + t % 3 for t in targets[:20]] + [None] * 20
    for cell in make_cells(plan):
        errors = [abs(a - t) for a, t in zip(answers[cell.variant], targets, strict=True) if a is not None]
        write_cell(cell, answers[cell.variant], targets, {"mae": float(np.mean(errors))})
    baseline, ntl = summarize(plan, read_results(make_cells(plan)))
    assert ntl.mean < baseline.mean
    assert 0 < ntl.difference.low <= ntl.difference.mean <= ntl.difference.high


def test_a_seed_without_a_value_is_marked(tmp_path):
    plan = make_plan(tmp_path, metrics=("mae", "number_accuracy"), seeds=(0, 1, 2))
    for cell in make_cells(plan):
        silent = cell.variant != "CE" and cell.seed == 1
        numbers = [None] * 4 if silent else [1, 2, 3, 40 + cell.seed]
        write_cell(cell, numbers, TARGETS, {"mae": None if silent else 0.25 * cell.seed, "number_accuracy": 0.5})
    text = report_text(plan)
    assert "| CE | 3 | 0.250 ± 0.250 | 50.0 ± 0.0 |" in text
    assert "| NTL-WAS 0.3 | 3 | 0.250 ± 0.354 (2 of 3) | 50.0 ± 0.0 |" in text
    assert "| NTL-WAS 0.3 | +0.000 (2 of 3) |" in text
    print_summary(Console(width=100), write_report(plan, make_cells(plan)))


def test_a_seed_without_common_rows_has_no_difference(tmp_path):
    plan = make_plan(tmp_path, metrics=("mae",))
    for cell in make_cells(plan):
        first = cell.variant == "CE" or cell.seed == 1
        write_cell(cell, [2, None] if first else [None, 2], [1, 2], {"mae": float(first)})
    _, ntl = summarize(plan, read_results(make_cells(plan)))
    assert (ntl.difference.seeds, ntl.difference.cells, ntl.difference.mean) == (1, 2, 0.0)


def test_rows_decide_over_the_interval(tmp_path):
    difference = scores_by_hand(make_plan(tmp_path))["number_accuracy", "NTL-WAS 0.3"].difference
    # Row by row, averaged over the seeds: 0, .5, 1, .5.
    assert 0 <= difference.low < 0.5 < difference.high <= 1 and difference.p_rows is None


def test_one_seed_has_no_spread_and_mcnemar(tmp_path):
    plan = make_plan(tmp_path, seeds=(0,))
    score = scores_by_hand(plan)["number_accuracy", "NTL-WAS 0.3"]
    assert score.sd is score.difference.sd is score.difference.p_seeds is score.difference.p_holm is None
    assert score.difference.p_rows == 1.0
    text = report_text(plan)
    assert "One seed: no test over seeds" in text and "±" not in text.split("## How to read")[0]


def report_text(plan, **kwargs):
    write_report(plan, make_cells(plan), **kwargs)
    return (plan.output_dir / "report.md").read_text()


def test_the_report_shows_what_was_computed(tmp_path):
    plan = make_plan(tmp_path)
    write_all(plan)
    text = report_text(plan)
    assert "| CE | 2 | 37.5 ± 17.7 | 1.667 ± 1.886 |" in text
    assert "| NTL-WAS 0.3 | 2 | 87.5 ± 17.7 | 0.125 ± 0.177 |" in text
    assert "| NTL-WAS 0.3 | +50.0 [" in text and "the 2 comparisons of this report (Holm)" in text
    assert "right numbers (%) ↑ | MAE ↓" in text and "Missing" not in text and "**8" not in text
    assert "`ntl-hf compare --config compare.yaml`" in text and "seeds: 0, 1;" in text


def test_bold_needs_a_corrected_test(tmp_path):
    plan = make_plan(tmp_path, metrics=("number_accuracy",), seeds=(0, 1, 2))
    for cell in make_cells(plan):
        value = cell.seed / 100 + (0.5 + cell.seed / 1000 if cell.variant != "CE" else 0)
        write_cell(cell, [1], [1], {"number_accuracy": value})
    assert "**51.1 ± 1.1**" in report_text(plan)


def test_settings_are_those_that_were_saved(tmp_path):
    variants = VARIANTS | {"GCE": {"ntl_weight": 0.0, "ntl_p": 3.0, "learning_rate": 0.1}}
    plan = make_plan(tmp_path, variants, metrics=("mae",), seeds=(0,))
    for cell in make_cells(plan):
        write_cell(cell, [1], [1], {"mae": 0.0})
    text = report_text(plan)
    assert "| CE | 1 | 0 | none | – | – |" in text and "| NTL-WAS 0.3 | 1 | 0.3 | was | – | – |" in text
    # `p` does nothing without weight.
    assert "| GCE | 1 | 0 | none | – | learning_rate 0.1 |" in text


def test_a_cell_that_was_trained_with_another_loss_is_an_error(tmp_path):
    plan = make_plan(tmp_path)
    cells = write_all(plan)
    path = cells[1].folder / "ntl_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"weight": 0.0}))
    with pytest.raises(ValueError, match=r"with `ntl_weight` 0\.0, but its variant asks for 0\.3"):
        write_report(plan, cells)


def test_missing_and_failed_cells_are_named(tmp_path):
    plan = make_plan(tmp_path)
    write_all(plan, leave_out=[("NTL-WAS 0.3", 1)])
    text = report_text(plan, failures=[("NTL-WAS 0.3, seed 1", "ValueError: on purpose")])
    assert "**Missing, 1 of 4 cells:** NTL-WAS 0.3, seed 1." in text
    assert "- NTL-WAS 0.3, seed 1: ValueError: on purpose" in text
    # Its difference is over the seed that both have.
    assert "| NTL-WAS 0.3 | 1 | 75.0 | 0.250 |" in text and "| NTL-WAS 0.3 | +25.0 " in text


def test_a_missing_baseline_leaves_the_differences_out(tmp_path):
    plan = make_plan(tmp_path)
    write_all(plan, leave_out=[("CE", 0), ("CE", 1)])
    assert "| NTL-WAS 0.3 | – | – |" in report_text(plan)


def test_nothing_to_report(tmp_path):
    plan = make_plan(tmp_path)
    with pytest.raises(ValueError, match="there is nothing to report"):
        write_report(plan, make_cells(plan))


def test_an_undefined_metric_is_a_dash(tmp_path):
    plan = make_plan(tmp_path, metrics=("perplexity", "mae"))
    write_all(plan)
    assert "| CE | 2 | – | 1.667" in report_text(plan)


@pytest.mark.parametrize(("line", "message"), [("{", "line 2 is damaged"), ('{"row": 1}', "line 2 is damaged")])
def test_damaged_predictions_name_file_and_line(line, message, tmp_path):
    plan = make_plan(tmp_path)
    cells = write_all(plan)
    path = cells[0].evaluation_folder("interpolate") / "predictions.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n" + line + "\n")
    with pytest.raises(ValueError, match=message):
        write_report(plan, cells)


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_files(tmp_path):
    plan = make_plan(tmp_path)
    write_all(plan)
    write_report(plan, make_cells(plan))
    rows = read_csv(tmp_path / "results.csv")
    assert len(rows) == 4 * 3 and rows[0].keys() == {"variant", "seed", "evaluation", "metric", "value"}
    assert [row["value"] for row in rows if row["metric"] == "mae" and row["variant"] == "CE"] == [str(1 / 3), "3.0"]
    summary = {(row["metric"], row["variant"]): row for row in read_csv(tmp_path / "summary.csv")}
    assert summary["number_accuracy", "NTL-WAS 0.3"]["difference"] == "0.5"
    assert summary["number_accuracy", "CE"]["difference"] == "" and summary["mae", "CE"]["seeds"] == "2"


def test_the_terminal_has_means_and_what_is_missing(tmp_path, capsys):
    plan = make_plan(tmp_path)
    write_all(plan, leave_out=[("CE", 1)])
    print_summary(Console(width=100), write_report(plan, make_cells(plan)))
    out = capsys.readouterr().out
    assert "interpolate" in out and "87.5 ± 17.7" in out and "1 cells are missing" in out


PICTURES = {"learning_curves.png", "error_by_size.png", "digits_by_position.png", "digit_distribution.png"}


def test_pictures(tmp_path):
    plan = make_plan(tmp_path)
    write_all(plan)
    text = report_text(plan)
    assert {path.name for path in (tmp_path / "plots").iterdir()} == PICTURES
    assert all(f"](plots/{name})" in text for name in PICTURES)
    assert all((tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG") for name in PICTURES)


def test_without_matplotlib_the_report_says_so(tmp_path, monkeypatch):
    plan = make_plan(tmp_path)
    write_all(plan)
    report_text(plan)
    assert can_plot()
    monkeypatch.setattr("ntl_hf.plots.find_spec", lambda name: None)
    # Those of the report before do not belong to this one.
    assert "ntl-hf[plots]" in report_text(plan) and not list((tmp_path / "plots").iterdir())


def test_without_numbers_and_logs_there_are_no_pictures_of_them(tmp_path):
    plan = make_plan(tmp_path, metrics=("sequence_accuracy",))
    for cell in make_cells(plan):
        write_cell(cell, [None, None], [None, None], {"sequence_accuracy": 0.5})
    assert "## Plots" in report_text(plan) and not list((tmp_path / "plots").iterdir())
