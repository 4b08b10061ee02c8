"""The report in words: one table a task, mean and spread over seeds beside the best possible."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from .settings import BASELINE, WITH_NTL
from .summary import differences

# Score -> label, factor, decimals.
_ROWS = {
    "exact_match": ("Exact match (%)", 100, 1),
    "mae": ("MAE", 1, 2),
    "median_ae": ("Median abs. error", 1, 1),
    "r2": ("R2", 1, 3),
    "ce": ("CE (nats/token)", 1, 3),
    "number_mass": ("Number mass (%)", 100, 2),
    "unreadable": ("Unreadable (%)", 100, 1),
}
_NOTES = (
    "Mean {sign} standard deviation over seeds. Difference: CE + NTL minus CE, seed by seed.\n"
    "Best possible: a model that knows the answer before the noise, on the same test rows.\n"
    "Unreadable: not a number of up to three digits. MAE, median and R2 charge it the largest error possible.\n"
    "Number mass: the probability on digits where a digit is due."
)


def print_report(console: Console, results: dict[str, Any]) -> None:
    """Print what `quickstart()` returned, whichever variant is ahead."""
    sign = "±" if console.encoding.lower().startswith("utf") else "+-"
    for task in results["tasks"]:
        console.print(_table(task, results["summary"][task["name"]], sign))
        console.print(_verdict(results["runs"], task["name"]), "\n", highlight=False)
    console.print(_NOTES.format(sign=sign), style="dim", soft_wrap=True, highlight=False)


def _table(task: dict[str, Any], summary: dict[str, Any], sign: str) -> Table:
    table = Table(
        title=task["title"], title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1)
    )
    table.add_column("On test rows", no_wrap=True, min_width=17)
    for name in (BASELINE, WITH_NTL, "Difference", "Best possible"):
        table.add_column(name, justify="right", overflow="fold")
    for score, (label, factor, decimals) in _ROWS.items():
        cells = [
            _format(summary[BASELINE][score], factor, decimals, sign),
            _format(summary[WITH_NTL][score], factor, decimals, sign),
            _format(summary["difference"][score], factor, decimals, sign, "+"),
            f"{factor * task['best_possible'][score]:.{decimals}f}",
        ]
        table.add_row(label, *cells)
    return table


def _format(spread: dict[str, Any], factor: float, decimals: int, sign: str, plus: str = "") -> str:
    text = f"{factor * spread['mean']:{plus}.{decimals}f}"
    return text if spread["sd"] is None else f"{text} {sign} {factor * spread['sd']:.{decimals}f}"


def _verdict(runs: list[dict[str, Any]], task: str) -> str:
    changes = differences([run for run in runs if run["task"] == task], "mae")
    lower, higher = sum(change < 0 for change in changes), sum(change > 0 for change in changes)
    return f"MAE with NTL: lower in {lower}, higher in {higher} of {len(changes)} paired seeds."
