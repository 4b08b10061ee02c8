"""Learning curves: cross entropy and digit error over the steps, while training and, where it was, in evaluation."""

from collections.abc import Sequence
from typing import Any

from ...plots.panels import add_legend, make_figure
from ..plan import Plan
from ..results import Result
from .style import draw_seeds, looks

_CURVES = {
    "ce_loss": "CE in training (nats/token)",
    "eval_ce_loss": "CE in evaluation (nats/token)",
    "number_mae": "|expected digit - digit| in training",
    "eval_number_mae": "|expected digit - digit| in evaluation",
}
_MOST_MARKERS = 12


def draw(plan: Plan, results: Sequence[Result]) -> Any:
    """A figure with a panel a curve, or None where nothing was logged."""
    names = [name for name in _CURVES if any(_points(result.log, name) for result in results)]
    if not names:
        return None
    columns = min(2, len(names))
    figure, panels = make_figure(-(-len(names) // columns), columns)
    for panel in panels.flat[len(names) :]:
        panel.set_visible(False)
    for panel, name in zip(panels.flat, names, strict=False):
        _draw_panel(panel, plan, results, name)
        panel.set(xlabel="Optimizer step", ylabel=_CURVES[name])
    add_legend(figure, panels, "Mean over seeds, and their range")
    return figure


def _draw_panel(panel: Any, plan: Plan, results: Sequence[Result], name: str) -> None:
    for variant, look in looks(plan).items():
        curves = [_points(result.log, name) for result in results if result.variant == variant]
        # Runs that were interrupted may have logged at other steps.
        steps = sorted(set.intersection(*map(set, curves))) if curves else []
        if steps:
            values = [[curve[step] for step in steps] for curve in curves]
            draw_seeds(panel, steps, values, variant, {**look, "markevery": max(1, len(steps) // _MOST_MARKERS)})


def _points(log: Sequence[dict[str, Any]], name: str) -> dict[int, float]:
    """Step to value, without windows that had no number."""
    return {line["step"]: line[name] for line in log if line.get(name) is not None and line[name] == line[name]}
