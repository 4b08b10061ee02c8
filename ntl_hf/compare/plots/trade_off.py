"""Error against likelihood: what a variant gains in one and pays in the other."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from ...plots.panels import add_legend, make_figure
from ..metrics import metric
from ..plan import Plan
from ..results import Result
from .style import looks

_LIKELIHOOD, _ERRORS = "cross_entropy", ("mae", "decoded_mae")


def draw(plan: Plan, results: Sequence[Result]) -> Any:
    """A figure with a column an evaluation and a row an error, or None where no evaluation has any."""
    errors = [name for name in _ERRORS if any(_values(results, each, name) for each in plan.evaluations)]
    if not errors or not all(_values(results, each, _LIKELIHOOD) for each in plan.evaluations):
        return None
    figure, panels = make_figure(len(errors), len(plan.evaluations), sharex="col")
    for column, evaluation in enumerate(plan.evaluations):
        panels[0][column].set_title(evaluation)
        panels[-1][column].set_xlabel(metric(_LIKELIHOOD).label)
        for row, error in enumerate(errors):
            _draw_panel(panels[row][column], plan, results, evaluation, error)
            panels[row][0].set_ylabel(metric(error).label)
    add_legend(figure, panels, "Mean over seeds, and the standard deviation. Better is down and to the left.")
    return figure


def _draw_panel(panel: Any, plan: Plan, results: Sequence[Result], evaluation: str, error: str) -> None:
    for variant, look in looks(plan).items():
        own = [result for result in results if result.variant == variant]
        x, y = (_values(own, evaluation, name) for name in (_LIKELIHOOD, error))
        if x and y:
            look = {**look, "ls": "none", "ms": 6, "lw": 1, "fillstyle": _FILLS[look["ls"]]}
            panel.errorbar(fmean(x), fmean(y), _sd(y), _sd(x), label=variant, elinewidth=0.6, **look)


# No line shows its dashes here.
_FILLS = {"-": "full", "--": "none", ":": "left", "-.": "top"}


def _values(results: Sequence[Result], evaluation: str, name: str) -> list[float]:
    found = [result.evaluations[evaluation].metrics.get(name) for result in results]
    return [value for value in found if value is not None]


def _sd(values: list[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None
