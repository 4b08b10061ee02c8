"""The quickstart from end to end: train every cell, collect, summarize."""

import platform
import time
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .pool import run_cells
from .run import TEST_SEED, run_cell
from .settings import VARIANTS, Settings
from .summary import summarize
from .tasks import TASKS, Task, best_possible, make_rows


def quickstart(settings: Settings, jobs: int, console: Console) -> dict[str, Any]:
    """Train with CE and with CE + NTL on every task and seed.

    Args:
        settings: sizes.
        jobs: trainings at a time.
        console: where the progress goes: one bar on a terminal, one line a run elsewhere.

    Returns:
        What is written as JSON: settings, versions, each run's scores and learning curves, and the summary.
    """
    started = time.perf_counter()
    runs = _train_all(settings, jobs, console)
    return {
        "settings": asdict(settings),
        "ntl_weight": VARIANTS,
        "versions": _versions(),
        "tasks": [_describe(task, settings) for task in TASKS],
        "runs": runs,
        "summary": summarize(runs),
        "seconds": round(time.perf_counter() - started, 1),
        "jobs": jobs,
    }


def _train_all(settings: Settings, jobs: int, console: Console) -> list[dict[str, Any]]:
    cells = settings.cells([task.name for task in TASKS])
    columns = (TextColumn("Training"), BarColumn(), MofNCompleteColumn(), TextColumn("steps,"), TimeRemainingColumn())
    # Off a terminal the bar would be printed once, when all is over.
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(cells) * settings.steps)

        def on_result(run: dict[str, Any]) -> None:
            if not console.is_terminal:
                line = f"{run['task']}, {run['variant']}, seed {run['seed']}: MAE {run['scores']['mae']:.2f}"
                console.print(line, highlight=False)

        train = partial(run_cell, settings=settings)
        return run_cells(train, cells, jobs, lambda: progress.advance(bar), on_result)


def _describe(task: Task, settings: Settings) -> dict[str, Any]:
    test = make_rows(task, settings.test_rows, TEST_SEED)
    curve = test.select(range(settings.curve_rows))
    return {
        "name": task.name,
        "title": task.title,
        "noise_sd": task.noise_sd,
        "best_possible": best_possible(task, test["value"], test["mean"]),
        "best_ce_on_curve_rows": best_possible(task, curve["value"], curve["mean"])["ce"],
    }


def _versions() -> dict[str, str]:
    names = ("ntl-hf", "torch", "transformers", "trl", "datasets")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
