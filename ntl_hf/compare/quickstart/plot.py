"""The picture: learning curves on test rows, the mean over seeds and the range from the lowest to the highest."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .settings import BASELINE, WITH_NTL

_COLORS = {BASELINE: "#4c72b0", WITH_NTL: "#dd8452"}
_CURVES = {"ce": "Test CE (nats per token)", "number_mae": "Mean |expected digit - digit|"}


def can_plot() -> bool:
    return find_spec("matplotlib") is not None


def save_curves(results: dict[str, Any], path: Path) -> None:
    """Draw one column a task and one row a score, and save a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Not `pyplot`, which would choose a backend for the whole process.
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(_CURVES), len(results["tasks"]), sharex=True, squeeze=False)
    for column, task in enumerate(results["tasks"]):
        runs = [run for run in results["runs"] if run["task"] == task["name"]]
        for row, score in enumerate(_CURVES):
            _draw(grid[row][column], runs, score)
        grid[0][column].set_title(task["title"])
        grid[0][column].axhline(task["best_ce_on_curve_rows"], color="black", ls="--", lw=1, label="best possible")
        grid[-1][column].set_xlabel("Step")
    for row, label in enumerate(_CURVES.values()):
        grid[row][0].set_ylabel(label)
    grid[0][0].legend(frameon=False)
    figure.savefig(path, dpi=120)


def _draw(axes: Any, runs: list[dict[str, Any]], score: str) -> None:
    for variant, color in _COLORS.items():
        curves = [run["curves"] for run in runs if run["variant"] == variant]
        points = list(zip(*(curve[score] for curve in curves), strict=True))
        steps = curves[0]["step"]
        label = f"{variant} (mean and range of {len(curves)} seeds)" if len(curves) > 1 else variant
        axes.plot(steps, [sum(point) / len(point) for point in points], color=color, marker="o", ms=3, label=label)
        axes.fill_between(steps, [min(p) for p in points], [max(p) for p in points], color=color, alpha=0.2, lw=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
