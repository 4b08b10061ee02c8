"""Tables as Markdown and for the terminal, and scores as such tables."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .bootstrap import Score

if TYPE_CHECKING:
    from rich.table import Table

DASH = "–"


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], right_aligned: Collection[str] = ()
) -> str:
    """A Markdown table, without a line feed at its end.

    Args:
        header: names of the columns.
        rows: a cell a column; `|` is escaped, and white space within a cell is one space.
        right_aligned: the columns of numbers.
    """
    lines = (header, ["---:" if name in right_aligned else "---" for name in header], *rows)
    return "\n".join(f"| {' | '.join(map(_markdown_cell, line))} |" for line in lines)


def _markdown_cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def rich_table(
    title: str | None,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    right_aligned: Collection[str] = (),
    **style: Any,
) -> "Table":
    """A `rich` table.

    Args:
        title: above the table; None for none.
        header: names of the columns.
        rows: a cell a column, as text without markup or as something that `rich` draws.
        right_aligned: the columns of numbers.
        style: of `rich.table.Table`.
    """
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=None if title is None else escape(title), **style)
    for name in header:
        table.add_column(escape(name), justify="right" if name in right_aligned else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def to_table(scores: Mapping[str, Score], confidence: float = 0.95, title: str | None = None) -> "Table":
    """A `rich` table with a row a metric: name, value, interval."""
    header = _header(confidence)
    return rich_table(title, header, _rows(scores), header[1:])


def to_markdown(scores: Mapping[str, Score], confidence: float = 0.95) -> str:
    """The same as a Markdown table, ending in a line feed."""
    header = _header(confidence)
    rows = ((f"`{name}`", *cells) for name, *cells in _rows(scores))
    return markdown_table(header, rows, header[1:]) + "\n"


def show_number(value: Any) -> str:
    """Four significant digits, counts in full; a dash for what is undefined or no number."""
    if not isinstance(value, int | float) or math.isnan(value):
        return DASH
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _header(confidence: float) -> tuple[str, str, str]:
    return "metric", "value", f"{confidence * 100:g} % interval"


def _rows(scores: Mapping[str, Score]) -> Iterator[tuple[str, str, str]]:
    for name, score in scores.items():
        known = score.low is not None and score.high is not None
        interval = f"{show_number(score.low)} to {show_number(score.high)}" if known else DASH
        yield name, show_number(score.value), interval
