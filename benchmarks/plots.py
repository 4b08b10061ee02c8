"""The pictures: time and memory of every contender, as multiples of those of a baseline of the same case."""

from pathlib import Path
from typing import Any

Row = dict[str, str]

# The first of these that is there is what the others are divided by.
_BASELINES = ("trl-ce", "SFTTrainer", "plain-ce", "ours-fused-ce-only", "ntloss-logits", "plain-ce-logits", "Trainer")
_COLUMNS = {"seconds": "time", "peak_mib": "peak memory"}
_OURS, _CE, _OTHER = "#4c72b0", "#b0b0b0", "#dd8452"
_LEGEND = {"ours": _OURS, "others, CE alone": _CE, "others, CE + NTL": _OTHER}
_BAR, _TITLE = 0.24, 0.75  # inches
_SIZES = {
    "vocab_size": "vocabulary of {:,}",
    "tokens": "{:,} tokens",
    "rows": "{:,} rows",
    "length": "of {:,} tokens",
    "labelled": "{:.0%} labelled",
    "numbers": "{:.0%} of the labels numbers",
    "number_tokens": "{:,} number tokens",
}


def save_bars(found: list[Row], path: Path) -> None:
    """Draw one row of axes a case, and save a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = _groups(found)
    heights = [_BAR * len(group) + _TITLE for group in groups.values()]
    figure = Figure(figsize=(12, sum(heights) + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(groups), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, (title, group) in zip(grid, groups.items(), strict=True):
        for one, column in zip(axes, _COLUMNS, strict=True):
            _draw(one, group, column)
        axes[0].set_title(title, loc="left", fontsize=9)
        axes[1].set_yticklabels([])
    _describe(figure, found[0])
    figure.savefig(path, dpi=120)


def _groups(found: list[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in found:
        start = ", from given logits" if row["contender"].endswith("-logits") else ""
        groups.setdefault(f"{row['case']}{start}: {_sizes(row)}, {row['dtype']}", []).append(row)
    return groups


def _sizes(row: Row) -> str:
    values = {name: float(row[name]) for name in _SIZES if row.get(name)}
    whole = {name: int(value) if value == int(value) else value for name, value in values.items()}
    return ", ".join(_SIZES[name].format(value) for name, value in whole.items()).replace(" rows, of", " rows of")


def _draw(axes: Any, group: list[Row], column: str) -> None:
    base = _baseline(group)
    unit = float(base[column]) or 1.0
    values = [float(row[column]) / unit for row in group]
    axes.barh(range(len(group)), values, color=[_color(row) for row in group], xerr=_quartiles(group, column, unit))
    axes.axvline(1, color="black", lw=0.8, ls=":", zorder=0)
    axes.set_yticks(range(len(group)), [row["contender"] for row in group], fontsize=8)
    axes.invert_yaxis()
    for y, (row, value) in enumerate(zip(group, values, strict=True)):
        end = float(row["seconds_q3"]) / unit if column == "seconds" else value
        axes.text(end, y, f"  {value:.2f}  ({_absolute(row, column)})", va="center", fontsize=8)
    axes.set_xlim(0, 1.45 * max(1.0, *values))
    axes.set_xlabel(f"{_COLUMNS[column]}, {base['contender']} = 1", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _quartiles(group: list[Row], column: str, unit: float) -> list[list[float]] | None:
    """Lengths of the error bars, down and up."""
    if column != "seconds":
        return None
    middle = [float(row["seconds"]) / unit for row in group]
    low, high = ([float(row[name]) / unit for row in group] for name in ("seconds_q1", "seconds_q3"))
    return [[m - x for m, x in zip(middle, low, strict=True)], [x - m for m, x in zip(middle, high, strict=True)]]


def _baseline(group: list[Row]) -> Row:
    by_name = {row["contender"]: row for row in group}
    return next((by_name[name] for name in _BASELINES if name in by_name), group[0])


def _color(row: Row) -> str:
    if row["contender"].startswith(("ours", "NTL")):
        return _OURS
    return _CE if row["objective"] == "CE" else _OTHER


def thread_count(row: Row) -> str:
    """In words."""
    return f"{row['threads']} thread{'' if row['threads'] == '1' else 's'}"


def _absolute(row: Row, column: str) -> str:
    return f"{float(row[column]):,.0f} MiB" if column == "peak_mib" else f"{float(row[column]):.3g} s"


def _describe(figure: Any, row: Row) -> None:
    from matplotlib.patches import Patch

    title = (
        f"{row['device_name']}, {thread_count(row)}, torch {row['torch']}, {row['date'][:10]}; median and quartiles"
    )
    figure.suptitle(title, fontsize=10)
    handles = [Patch(color=color, label=label) for label, color in _LEGEND.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
