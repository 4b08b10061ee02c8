"""The tables: Markdown for the report, CSV for whoever goes on from here."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .metrics import metric
from .plan import Plan
from .results import Result
from .summary import Difference, Score

DASH = "–"
_SUMMARY = ("mean", "sd", "seeds", "difference", "difference_sd", "p_seeds", "p_holm", "low", "high", "p_rows")


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = True) -> str:
    """A Markdown table; the first column is text, the others are numbers, or text too."""
    lines = [list(header), ["---", *["---:" if numbers else "---"] * (len(header) - 1)], *map(list, rows)]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def scores_table(plan: Plan, scores: Sequence[Score], evaluation: str, cells: Mapping[str, int]) -> str:
    """Mean and standard deviation of every variant; bold where the corrected test says that it is better.

    Args:
        plan: of the comparison.
        scores: of all evaluations.
        evaluation: the one to show.
        cells: how many seeds of each variant are finished.
    """
    by_key = {(score.variant, score.metric): score for score in scores if score.evaluation == evaluation}
    rows = []
    for variant in plan.variants:
        shown = [_show_score(by_key.get((variant, name))) for name in plan.metrics]
        rows.append([variant, str(cells.get(variant, 0)), *shown])
    return markdown(["variant", "seeds", *_headings(plan)], rows)


def differences_table(plan: Plan, scores: Sequence[Score], evaluation: str) -> str:
    """Every variant minus the baseline, with its tests."""
    by_key = {(score.variant, score.metric): score for score in scores if score.evaluation == evaluation}
    rows = [
        [variant, *(_show_difference(by_key.get((variant, name)), name) for name in plan.metrics)]
        for variant in plan.others
    ]
    return markdown([f"minus {plan.baseline}", *_headings(plan)], rows)


def show_mean(score: Score) -> str:
    """ "12.3 ± 0.4", the spread being left out for one seed; "12.3 ± 0.4 (2 of 3)" if it is undefined for another."""
    shown = metric(score.metric)
    spread = "" if score.sd is None else f" ± {shown.show(score.sd, like=score.mean)}"
    return shown.show(score.mean) + spread + _show_gap(len(score.values), score.cells)


def show_p(p: float) -> str:
    """ ".03", or "<.001"."""
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 0.1 else f"{min(p, 1):.2f}".removeprefix("0")


def write_results(path: Path, results: Sequence[Result]) -> None:
    """One row a cell, evaluation and metric, whichever metrics the report shows."""
    header = ("variant", "seed", "evaluation", "metric", "value")
    rows = (
        (result.variant, result.seed, evaluation, name, value)
        for result in results
        for evaluation, scores in result.evaluations.items()
        for name, value in scores.metrics.items()
    )
    _write(path, header, rows)


def write_summary(path: Path, scores: Sequence[Score]) -> None:
    """One row an evaluation, metric and variant: what the report's tables show, unrounded."""
    rows = (
        (
            score.evaluation,
            score.metric,
            score.variant,
            score.mean,
            score.sd,
            len(score.values),
            *_flat(score.difference),
        )
        for score in scores
    )
    _write(path, ("evaluation", "metric", "variant", *_SUMMARY), rows)


def _headings(plan: Plan) -> list[str]:
    return [metric(name).heading for name in plan.metrics]


def _show_score(score: Score | None) -> str:
    if score is None:
        return DASH
    is_better = score.difference is not None and score.difference.is_better(score.metric)
    return f"**{show_mean(score)}**" if is_better else show_mean(score)


def _show_difference(score: Score | None, name: str) -> str:
    if score is None or score.difference is None:
        return DASH
    difference, show = score.difference, metric(name).show
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


def _flat(difference: Difference | None) -> tuple[Any, ...]:
    if difference is None:
        return (None,) * 7
    return tuple(getattr(difference, name) for name in ("mean", "sd", "p_seeds", "p_holm", "low", "high", "p_rows"))


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
