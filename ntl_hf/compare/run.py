"""Train and score the cells that are not finished, with one bar for all."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .cells import Cell
from .folder import LOG
from .process import DONE, INTERRUPTED, REFUSED, Slot
from .processes import Outcome, Pool
from .start import run_cell
from .state import is_finished

_PRELOAD = ("ntl_hf.compare.work", "ntl_hf.runs.sft", "ntl_hf.runs.train", "ntl_hf.runs.evaluate")


@dataclass
class Finish:
    """How a comparison ended.

    Attributes:
        failures: the cells that failed, with the last line of their error.
        refused: the error of a cell that could not be trained at all; the others were then stopped.
        signal: what interrupted it, or None.
        skipped: how many cells were finished before.
    """

    failures: list[tuple[Cell, str]] = field(default_factory=list)
    refused: str | None = None
    signal: int | None = None
    skipped: int = 0


def make_pool(jobs: int, devices: Sequence[str]) -> Pool:
    """Processes for the cells, which begin to import at once.

    Args:
        jobs: how many cells at a time.
        devices: values of CUDA_VISIBLE_DEVICES, dealt out in turn; none for the CPU.
    """
    threads = max(1, _cores() // jobs)
    slots = [Slot(devices[i % len(devices)] if devices else None, threads) for i in range(jobs)]
    # A process that has asked for GPUs cannot be forked, and importing may ask.
    has_fork = sys.platform == "linux" and not devices
    pool = Pool(run_cell, slots, _PRELOAD, "forkserver" if has_fork else "spawn")
    pool.warm_up()
    return pool


def run_cells(cells: Sequence[Cell], pool: Pool, console: Console) -> Finish:
    """Run what is not finished; the caller has checked the cells.

    Args:
        cells: in the order in which they are begun.
        pool: from `make_pool`.
        console: where the progress goes: one bar on a terminal, one line a cell elsewhere.
    """
    todo = [cell for cell in cells if not is_finished(cell)]
    finish = Finish(skipped=len(cells) - len(todo))
    if finish.skipped:
        console.print(f"{finish.skipped} of {len(cells)} cells are finished and skipped.", highlight=False)
    if not todo:
        return finish
    # Here and not by every cell into its log: the imports are those that have read the cells' settings.
    from ..trainers.precision_checks import warn_of_slow_settings

    warn_of_slow_settings(cell.resolved for cell in todo)
    shares = [0.0] * len(todo)
    columns = (TextColumn("Cells"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[now]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(todo), now="")

        def on_progress(position: int, share: float) -> None:
            shares[position] = share
            progress.update(bar, completed=round(sum(shares), 2), now=todo[position].name)

        def on_outcome(position: int, outcome: Outcome) -> bool:
            on_progress(position, 1.0 if outcome.how == DONE else 0.0)
            return _note(todo[position], outcome, finish, console, is_first=not finish.skipped and 1.0 not in shares)

        threads = pool.slots[0].threads
        finish.signal = pool.run(
            [(cell, threads) for cell in todo], [cell.folder / LOG for cell in todo], on_progress, on_outcome
        )
    return finish


def _note(cell: Cell, outcome: Outcome, finish: Finish, console: Console, is_first: bool) -> bool:
    """Keep and print how a cell ended; whether to go on with the others."""
    if outcome.how == REFUSED and is_first:
        # Most likely all would be, a few hours into the comparison.
        finish.refused = finish.refused or f"{cell.name}: {outcome.message}"
        return False
    if outcome.how == INTERRUPTED:
        return True
    if outcome.how != DONE:
        finish.failures.append((cell, outcome.message))
    if outcome.how != DONE or not console.is_terminal:
        text = outcome.how if outcome.how == DONE else f"{outcome.how}: {outcome.message} See {cell.folder / LOG}."
        console.print(f"{cell.name}: {text}", highlight=False, markup=False, soft_wrap=True)
    return True


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
