"""The tables: Markdown for the report, rich for the terminal, CSV for whoever goes on from here."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ..evaluation.table import DASH, markdown_table, rich_table
from .metric_labels import MetricLabel, label_of
from .plan import Plan
from .results import Result
from .summary import Difference, Score


def terminal_table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]], **style: Any) -> Table:
    """A table of numbers for a terminal, each row under its name."""
    look: dict[str, Any] = {"title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD, **style}
    return rich_table(title, header, rows, header[1:], **look)


def scores_table(plan: Plan, scores: Sequence[Score], evaluation: str, cells: Mapping[str, int]) -> str:
    """Mean and standard deviation of every variant; bold where the corrected test says that it is better.

    Args:
        plan: of the comparison.
        scores: of all evaluations.
        evaluation: the one to show.
        cells: how many seeds of each variant are finished.
    """
    means = _show_means(plan, scores, evaluation, "**{}**".format)
    header = ["variant", "seeds", *_headings(plan)]
    return markdown_table(header, ([name, cells.get(name, 0), *row] for name, row in means.items()), header[1:])


def differences_table(plan: Plan, scores: Sequence[Score], evaluation: str) -> str:
    """Every variant minus the baseline, with its tests."""
    found = _by_key(scores, evaluation)
    rows = [
        [variant, *(_show_difference(found.get((variant, name)), name) for name in plan.metrics)]
        for variant in plan.others
    ]
    header = [f"minus {plan.baseline}", *_headings(plan)]
    return markdown_table(header, rows, header[1:])


def means_table(plan: Plan, scores: Sequence[Score], evaluation: str) -> Table:
    """`scores_table` for a terminal."""
    means = _show_means(plan, scores, evaluation, partial(Text, style="bold"))
    header = ["", *(label_of(name).label for name in plan.metrics)]
    return terminal_table(evaluation, header, ([variant, *row] for variant, row in means.items()))


def show_spread(label: MetricLabel, mean: float, sd: float | None, plus: bool = False) -> str:
    """ "12.3 ± 0.4", the spread being left out where there is none, as of one seed."""
    return label.show(mean, plus=plus) + ("" if sd is None else f" ± {label.show(sd, like=mean)}")


def show_p(p: float) -> str:
    """ ".03", or "<.001"."""
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 0.1 else f"{min(p, 1):.2f}".removeprefix("0")


def write_results(path: Path, results: Sequence[Result]) -> None:
    """One row a cell, evaluation and metric, whichever metrics the report shows."""
    rows = (
        (result.variant, result.seed, evaluation, name, value)
        for result in results
        for evaluation, scores in result.evaluations.items()
        for name, value in scores.metrics.items()
    )
    _write(path, ("variant", "seed", "evaluation", "metric", "value"), rows)


def write_summary(path: Path, scores: Sequence[Score]) -> None:
    """One row an evaluation, metric and variant: what the report's tables show, unrounded."""
    columns = [each.name for each in fields(Difference) if each.name not in ("mean", "sd", "seeds", "cells")]
    header = ("evaluation", "metric", "variant", "mean", "sd", "seeds", "difference", "difference_sd", *columns)
    rows = [
        [score.evaluation, score.metric, score.variant, score.mean, score.sd, len(score.values)]
        + [getattr(score.difference, name, None) for name in ("mean", "sd", *columns)]
        for score in scores
    ]
    _write(path, header, rows)


def _show_means(
    plan: Plan, scores: Sequence[Score], evaluation: str, bold: Callable[[str], Any]
) -> dict[str, list[Any]]:
    """Of each variant, the cells of its row; `bold` is for those that are better than the baseline."""
    texts: dict[tuple[str, str], Any] = {}
    for key, score in _by_key(scores, evaluation).items():
        shown = show_spread(label_of(score.metric), score.mean, score.sd) + _show_gap(len(score.values), score.cells)
        texts[key] = bold(shown) if score.is_better else shown
    return {variant: [texts.get((variant, name), DASH) for name in plan.metrics] for variant in plan.variants}


def _headings(plan: Plan) -> list[str]:
    return [label_of(name).heading for name in plan.metrics]


def _by_key(scores: Sequence[Score], evaluation: str) -> dict[tuple[str, str], Score]:
    return {(score.variant, score.metric): score for score in scores if score.evaluation == evaluation}


def _show_difference(score: Score | None, name: str) -> str:
    if score is None or score.difference is None:
        return DASH
    difference, show = score.difference, label_of(name).show
    parts = [show(difference.mean, plus=True) + _show_gap(difference.seeds, difference.cells)]
    if difference.low is not None and difference.high is not None:
        ends = (show(end, like=difference.mean, plus=True) for end in (difference.low, difference.high))
        parts.append(f"[{', '.join(ends)}]")
    if difference.p_seeds is not None and difference.p_holm is not None:
        parts.append(f"p {show_p(difference.p_seeds)} ({show_p(difference.p_holm)})")
    if difference.p_rows is not None:
        parts.append(f"p rows {show_p(difference.p_rows)}")
    return " ".join(parts)


def _show_gap(defined: int, cells: int) -> str:
    """Seeds in which a metric is undefined must not look as if they had entered the mean."""
    return "" if defined == cells else f" ({defined} of {cells})"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
