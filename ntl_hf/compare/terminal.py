"""The summary on the terminal: the report's first table, and how many cells are missing."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .metrics import metric
from .report import Report
from .tables import DASH, show_mean


def print_summary(console: Console, report: Report) -> None:
    """Print mean and spread of every variant, one table an evaluation."""
    for evaluation in report.plan.evaluations:
        console.print(_table(report, evaluation))
    if report.missing:
        console.print(f"{len(report.missing)} cells are missing.", style="yellow", highlight=False)


def _table(report: Report, evaluation: str) -> Table:
    scores = {(score.variant, score.metric): score for score in report.scores if score.evaluation == evaluation}
    table = Table(title=escape(evaluation), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("", overflow="fold")
    for name in report.plan.metrics:
        table.add_column(escape(metric(name).label), justify="right", overflow="fold")
    for variant in report.plan.variants:
        cells = []
        for name in report.plan.metrics:
            score = scores.get((variant, name))
            style = "bold" if score and score.difference and score.difference.is_better(name) else ""
            text = DASH if score is None else show_mean(score)
            cells.append(f"[{style}]{text}[/]" if style else text)
        table.add_row(escape(variant), *cells)
    return table
