"""The quickstart from end to end: every cell is trained in a process of its own, and the results are collected."""

import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ..cell_folder import versions
from ..plan import Settings
from ..processes import DONE, INTERRUPTED, Outcome, Pool, Slot, Tell
from ..run_cells import run_with_bar
from .recipe import VARIANTS, Cell, make_cells

_PRELOAD = ("ntl_hf.compare.quickstart.training",)
_LOG_LINES = 60


class RunFailedError(RuntimeError):
    """A run failed in its process; the message has the traceback from there."""


class RunKilledError(RuntimeError):
    """A process ended without a word."""


def quickstart(settings: Settings, jobs: int, console: Console) -> dict[str, Any]:
    """Train with CE and with CE + NTL on every task and seed.

    Args:
        settings: sizes.
        jobs: trainings at a time.
        console: where the progress goes: one bar on a terminal, one line a run elsewhere.

    Returns:
        What is written as JSON: settings, versions, each run's scores and learning curves, and the summary.

    Raises:
        RunFailedError: a training failed; the others are stopped.
        RunKilledError: a process was killed; the others are stopped.
    """
    started = time.perf_counter()
    # Without a GPU, so that the server can be forked whatever its imports ask for.
    pool = Pool(_run_cell, [Slot(device="")] * jobs, _PRELOAD, stopping="stopping.")
    pool.warm_up()
    from .report import summarize
    from .tasks import TASKS, describe

    cells = make_cells([task.name for task in TASKS], settings["seeds"])

    def on_result(run: dict[str, Any]) -> None:
        if not console.is_terminal:
            line = f"{run['task']}, {run['variant']}, seed {run['seed']}: MAE {run['scores']['mae']:.2f}"
            console.print(line, highlight=False)

    runs = run_all(pool, [(cell, settings) for cell in cells], console, settings["steps"], on_result)
    return {
        "settings": settings,
        "ntl_weight": VARIANTS,
        "versions": versions(),
        "tasks": [describe(task, settings["test_rows"], settings["curve_rows"]) for task in TASKS],
        "runs": runs,
        "summary": summarize(runs),
        "seconds": round(time.perf_counter() - started, 1),
        "jobs": jobs,
    }


def run_all(
    pool: Pool, items: Sequence[Any], console: Console, size: int, on_result: Callable[[Any], None]
) -> list[Any]:
    """Run all items, whose work ends in a result, and return the results in the order of the items.

    Args:
        pool: its work gets an item and a folder, which is removed at the end.
        items: what it is called with.
        console: where a terminal shows the progress.
        size: steps of an item.
        on_result: called with each result as it comes.

    Raises:
        RunFailedError: the work of an item raised; the others are stopped.
        RunKilledError: a process was killed; the others are stopped.
        KeyboardInterrupt: after a SIGINT; `SystemExit` after a SIGTERM.
    """
    results: dict[int, Any] = {}
    failed: list[tuple[int, Outcome]] = []

    def on_outcome(position: int, outcome: Outcome) -> bool:
        if outcome.how == DONE:
            results[position] = outcome.result
            on_result(outcome.result)
        else:
            failed.append((position, outcome))
        return not failed

    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(position) for position in range(len(items))]
        logs = [folder / "run.log" for folder in folders]
        given = list(zip(items, map(str, folders), strict=True))
        number = run_with_bar(pool, given, logs, console, on_outcome, "Training", ["steps,"] * len(items), size)
        if number is not None:
            raise KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        if failed:
            position, outcome = failed[0]
            # Without a signal of ours, somebody else has ended the process.
            if outcome.is_killed or outcome.how == INTERRUPTED:
                raise RunKilledError("A training process was killed.")
            log = logs[position].read_text(encoding="utf-8").splitlines()[-_LOG_LINES:]
            raise RunFailedError("\n".join(["A training run failed.", *log]))
    return [results[position] for position in range(len(items))]


def _run_cell(item: tuple[tuple[Cell, Settings], str], tell: Tell) -> dict[str, Any]:
    # Here, because the command itself does without these imports.
    from .training import run_cell

    (cell, settings), folder = item
    return run_cell(cell, settings, folder, tell)
