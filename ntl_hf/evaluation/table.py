"""Scores as a table: for the terminal, and as Markdown."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .score import Score

if TYPE_CHECKING:
    from rich.table import Table

_NONE = "–"


def to_table(scores: Mapping[str, Score], confidence: float = 0.95, title: str | None = None) -> "Table":
    """A `rich` table with a row a metric: name, value, interval."""
    from rich.table import Table

    table = Table(title=title)
    table.add_column("metric")
    for name in _header(confidence)[1:]:
        table.add_column(name, justify="right")
    for name, score in scores.items():
        table.add_row(name, *_cells(score))
    return table


def to_markdown(scores: Mapping[str, Score], confidence: float = 0.95) -> str:
    """The same as a Markdown table, ending in a line feed."""
    lines = [_header(confidence), ("---", "---:", "---:")]
    lines += [(f"`{name}`", *_cells(score)) for name, score in scores.items()]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _header(confidence: float) -> tuple[str, str, str]:
    return "metric", "value", f"{confidence * 100:g} % interval"


def _cells(score: Score) -> tuple[str, str]:
    if score.low is None or score.high is None:
        return _number(score.value), _NONE
    return _number(score.value), f"{_number(score.low)} to {_number(score.high)}"


def _number(value: float) -> str:
    """Four significant digits; counts in full; a dash where undefined."""
    if math.isnan(value):
        return _NONE
    return str(value) if isinstance(value, int) else f"{value:.4g}"
