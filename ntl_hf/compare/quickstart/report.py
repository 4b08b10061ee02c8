"""The report: results as JSON, a table a task with the best possible beside both variants, and learning curves."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ...evaluation.table import DASH
from ..plots.curves import draw_logged
from ..results import Evaluation, Result
from ..summary import Score
from ..summary import summarize as summarize_plan
from ..tables import show_spread, terminal_table
from .recipe import BASELINE, LABELS, PICTURE, RESULTS, WITH_NTL, make_plan

# Curve of the results -> what the trainers log it as, and how the picture calls it.
_CURVES = {
    "ce": ("eval_ce_loss", "Test CE (nats per token)"),
    "number_mae": ("eval_number_mae", "Mean |expected digit - digit|"),
}
_NOTES = (
    "Mean ± standard deviation over seeds. Difference: CE + NTL minus CE, seed by seed.\n"
    "Best possible: a model that knows the answer before the noise, on the same test rows.\n"
    "Unreadable: not a number of up to three digits. MAE, median and R2 charge it the largest error possible.\n"
    "Number mass: the probability on digits where a digit is due."
)
_ASCII = str.maketrans({"±": "+-", DASH: "-"})
Run = dict[str, Any]


def write_results(folder: Path, results: dict[str, Any]) -> Path:
    """Write the results and remove the picture of an earlier run, which would not belong to them."""
    (folder / PICTURE).unlink(missing_ok=True)
    path = folder / RESULTS
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path


def summarize(runs: list[Run]) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """`{task: {"CE" | "CE + NTL" | "difference": {score: {"mean", "sd"}}}}`.

    The difference is CE + NTL minus CE, seed by seed, so that what a seed gives to both does not blur it. `sd` is the
    sample standard deviation over seeds, None for a single one. A mean is NaN where a score of a seed is.
    """
    summary: dict[str, Any] = {}
    for task in dict.fromkeys(run["task"] for run in runs):
        found = summary[task] = {BASELINE: {}, WITH_NTL: {}, "difference": {}}
        for score in _scores(runs, task):
            found[score.variant][score.metric] = {"mean": score.mean, "sd": score.sd}
            if score.variant == WITH_NTL:
                found["difference"][score.metric] = _difference(score)
    return summary


def print_report(console: Console, results: dict[str, Any]) -> None:
    """Print what `quickstart()` returned, whichever variant is ahead."""
    is_utf = console.encoding.lower().startswith("utf")
    for task in results["tasks"]:
        console.print(_table(task, results["summary"][task["name"]], is_utf))
        console.print(_verdict(results["runs"], task["name"]), "\n", highlight=False)
    console.print(_NOTES if is_utf else _NOTES.translate(_ASCII), style="dim", soft_wrap=True, highlight=False)


def save_curves(results: dict[str, Any], path: Path) -> None:
    """Draw one column a task and one row a score, and save a PNG."""
    from ...plots.panels import draw_columns

    def draw(task: dict[str, Any], panels: Any) -> None:
        plan, found = make_plan(task["name"]), _results(results["runs"], task["name"])
        for panel, (name, _) in zip(panels, _CURVES.values(), strict=True):
            draw_logged(panel, plan, found, name)
        panels[0].axhline(task["best_ce_on_curve_rows"], color="0.4", ls="--", lw=1, label="best possible")

    seeds = len({run["seed"] for run in results["runs"]})
    note = f"Mean over {seeds} seeds, and their range" if seeds > 1 else "One seed"
    columns = {task["title"]: partial(draw, task) for task in results["tasks"]}
    figure = draw_columns(columns, [label for _, label in _CURVES.values()], "Step", note, sharex=True)
    figure.savefig(path, dpi=120)


def _scores(runs: list[Run], task: str) -> list[Score]:
    # Tests over so few seeds would say nothing.
    return summarize_plan(make_plan(task), _results(runs, task), tested=False)


def _difference(score: Score) -> dict[str, float | None]:
    # Over fewer seeds than the means beside it, it would not be their difference.
    change = score.difference
    if change is None or change.seeds < change.cells:
        return {"mean": math.nan, "sd": None}
    return {"mean": change.mean, "sd": change.sd}


def _results(runs: list[Run], task: str) -> list[Result]:
    return [
        Result(run["variant"], run["seed"], {}, {}, _log(run), {task: Evaluation(run["scores"], None, Path())})
        for run in runs
        if run["task"] == task
    ]


def _log(run: Run) -> list[dict[str, float]]:
    curves = {"step": run["curves"]["step"], **{name: run["curves"][key] for key, (name, _) in _CURVES.items()}}
    return [dict(zip(curves, point, strict=True)) for point in zip(*curves.values(), strict=True)]


def _table(task: dict[str, Any], summary: dict[str, Any], is_utf: bool) -> Table:
    rows = []
    for name, label in LABELS.items():
        found = [summary[column][name] for column in (BASELINE, WITH_NTL, "difference")]
        shown = [
            DASH if math.isnan(each["mean"]) else show_spread(label, each["mean"], each["sd"], plus=each is found[-1])
            for each in found
        ]
        shown = shown if is_utf else [text.translate(_ASCII) for text in shown]
        rows.append([label.label, *shown, label.show(task["best_possible"][name])])
    header = ("On test rows", BASELINE, WITH_NTL, "Difference", "Best possible")
    table = terminal_table(task["title"], header, rows, padding=(0, 0, 0, 1))
    table.columns[0].no_wrap, table.columns[0].min_width = True, 17
    return table


def _verdict(runs: list[Run], task: str) -> str:
    found = {score.variant: score.values for score in _scores(runs, task) if score.metric == "mae"}
    changes = [found[WITH_NTL][seed] - value for seed, value in found[BASELINE].items()]
    lower, higher = sum(change < 0 for change in changes), sum(change > 0 for change in changes)
    return f"MAE with NTL: lower in {lower}, higher in {higher} of {len(changes)} paired seeds."
