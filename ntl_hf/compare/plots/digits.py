"""Error by digit position: how often the digit at each power of ten is right, aligned at the units."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from ...plots.panels import add_legend, make_figure
from ..plan import Plan
from ..results import Floats, Result, Rows
from .style import draw_seeds, looks, percent_axis


def draw(plan: Plan, results: Sequence[Result]) -> Any:
    """A figure with a column an evaluation, or None where no row has a number."""
    counts = {name: digit_counts(results[0].evaluations[name].rows) for name in plan.evaluations}
    names = [name for name, count in counts.items() if len(count)]
    if not names:
        return None
    figure, panels = make_figure(2, len(names), heights=(1, 0.45), sharex="col")
    for column, name in enumerate(names):
        _draw_column(panels[:, column], plan, results, name, counts[name])
        panels[0][column].set_title(name)
        panels[-1][column].set_xlabel("Power of ten (0: units)")
    panels[0][0].set_ylabel("Right digits (%)")
    panels[1][0].set_ylabel("Rows")
    note = "Mean over seeds, and their range. Digits before the point, without sign; missing and unreadable are wrong."
    add_legend(figure, panels, note)
    return figure


def digit_counts(rows: Rows) -> Floats:
    """How many targets have a digit at each power of ten, from the units on."""
    lengths = [len(_digits(target)) for target in rows.target if not np.isnan(target)]
    return np.array(
        [sum(length > place for length in lengths) for place in range(max(lengths, default=0))], dtype=float
    )


def digit_accuracy(rows: Rows, counts: Floats) -> Floats:
    """Share of right digits at each power of ten, of the targets that have one there."""
    right = np.zeros(len(counts))
    for target, number in zip(rows.target, rows.number, strict=True):
        if not np.isnan(target) and not np.isnan(number):
            pairs = zip(reversed(_digits(target)), reversed(_digits(number)), strict=False)
            for place, (true, given) in enumerate(pairs):
                right[place] += true == given
    return right / counts


def _digits(value: float) -> str:
    """Of the whole part: "105" of -105.5. Exact, where `int` of a float would show digits that it does not hold."""
    return format(abs(Decimal(repr(float(value)))), "f").partition(".")[0]


def _draw_column(panels: Any, plan: Plan, results: Sequence[Result], name: str, counts: Floats) -> None:
    places = np.arange(len(counts))
    for variant, look in looks(plan).items():
        cells = [result.evaluations[name].rows for result in results if result.variant == variant]
        if cells:
            draw_seeds(panels[0], places, [100 * digit_accuracy(rows, counts) for rows in cells], variant, look)
    percent_axis(panels[0])
    panels[1].bar(places, counts, color="0.7")
    # The most significant digit to the left, as it is written.
    panels[0].invert_xaxis()
    panels[1].set_xticks(places)
