"""Curves of the training and of the model's probabilities: learning, a digit's distribution, error and likelihood."""

from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np

from ...plots.panels import add_legend, draw_columns, make_grid
from ..metric_labels import label_of
from ..plan import Plan
from ..results import Floats, Result
from ..summary import spread
from . import draw_seeds, draw_variants, looks

_CURVES = {
    "ce_loss": "CE in training (nats/token)",
    "eval_ce_loss": "CE in evaluation (nats/token)",
    "number_mae": "|expected digit - digit| in training",
    "eval_number_mae": "|expected digit - digit| in evaluation",
}
_MOST_MARKERS = 12
_LIKELIHOOD, _ERRORS = "cross_entropy", ("mae", "decoded_mae")
# No line shows its dashes where there are points alone.
_FILLS = {"-": "full", "--": "none", ":": "left", "-.": "top"}


def draw_learning(plan: Plan, results: Sequence[Result]) -> Any:
    """Cross entropy and digit error over the steps, while training and, where it was, in evaluation.

    Returns:
        A figure with a panel a curve, or None where nothing was logged.
    """
    names = [name for name in _CURVES if any(_points(result.log, name) for result in results)]
    if not names:
        return None
    figure, panels, shown = make_grid(len(names))
    for panel, name in zip(shown, names, strict=True):
        draw_logged(panel, plan, results, name)
        panel.set(xlabel="Optimizer step", ylabel=_CURVES[name])
    add_legend(figure, panels, "Mean over seeds, and their range")
    return figure


def draw_logged(panel: Any, plan: Plan, results: Sequence[Result], name: str) -> None:
    """What the trainers have logged by that name, over the steps that all seeds of a variant have."""
    for variant, look in looks(plan).items():
        curves = [_points(result.log, name) for result in results if result.variant == variant]
        # Runs that were interrupted may have logged at other steps.
        steps = sorted(set.intersection(*map(set, curves))) if curves else []
        if steps:
            values = [[curve[step] for step in steps] for curve in curves]
            draw_seeds(panel, steps, values, variant, {**look, "markevery": max(1, len(steps) // _MOST_MARKERS)})


def draw_distribution(plan: Plan, results: Sequence[Result]) -> Any:
    """The predicted distribution of a digit around the true one, teacher-forced.

    Returns:
        A figure with a column an evaluation, or None where no evaluation has recorded one.
    """
    columns = {
        name: partial(_draw_offsets, plan, results, name) for name in plan.evaluations if _offsets(results, name)
    }
    note = "Mean over seeds, and their range, of the model's probabilities where a digit is due"
    xlabel = "Predicted value - true value of a digit"
    return draw_columns(columns, ("Mean probability",), xlabel, note, sharey=True)


def draw_trade_off(plan: Plan, results: Sequence[Result]) -> Any:
    """Error against likelihood: what a variant gains in one and pays in the other.

    Returns:
        A figure with a column an evaluation and a row an error, or None where no evaluation has any.
    """
    errors = [name for name in _ERRORS if any(_values(results, each, name) for each in plan.evaluations)]
    if not errors or not all(_values(results, each, _LIKELIHOOD) for each in plan.evaluations):
        return None
    columns = {name: partial(_draw_points, plan, results, name, errors) for name in plan.evaluations}
    note = "Mean over seeds, and the standard deviation. Better is down and to the left."
    labels = [label_of(error).label for error in errors]
    return draw_columns(columns, labels, label_of(_LIKELIHOOD).label, note, sharex="col")


def _draw_points(
    plan: Plan, results: Sequence[Result], evaluation: str, errors: Sequence[str], panels: Sequence[Any]
) -> None:
    for variant, look in looks(plan).items():
        own = [result for result in results if result.variant == variant]
        x = _values(own, evaluation, _LIKELIHOOD)
        for panel, error in zip(panels, errors, strict=True):
            y = _values(own, evaluation, error)
            if x and y:
                point = {**look, "ls": "none", "ms": 6, "lw": 1, "fillstyle": _FILLS[look["ls"]]}
                panel.errorbar(fmean(x), fmean(y), spread(y), spread(x), label=variant, elinewidth=0.6, **point)


def _offsets(results: Sequence[Result], evaluation: str) -> list[float] | None:
    found = (result.evaluations[evaluation].distribution for result in results)
    return next((each["offset"] for each in found if each), None)


def _draw_offsets(plan: Plan, results: Sequence[Result], evaluation: str, panels: Sequence[Any]) -> None:
    x = _offsets(results, evaluation) or ()
    draw_variants(panels[0], plan, results, x, partial(_log_curve, evaluation))
    panels[0].set(yscale="log", xticks=range(-9, 10, 3))


def _points(log: Sequence[dict[str, Any]], name: str) -> dict[int, float]:
    """Step to value, without windows that had no number."""
    return {line["step"]: line[name] for line in log if line.get(name) is not None and line[name] == line[name]}


def _log_curve(name: str, result: Result) -> Floats | None:
    found = result.evaluations[name].distribution
    if found is None:
        return None
    # A logarithm knows no 0.
    return np.where(np.array(found["probability"]) > 0, found["probability"], np.nan)


def _values(results: Sequence[Result], evaluation: str, name: str) -> list[float]:
    found = [result.evaluations[evaluation].metrics.get(name) for result in results]
    return [value for value in found if value is not None]
