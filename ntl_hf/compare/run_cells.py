"""Train and score the cells that are not finished, with one bar for all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .cell_folder import LOG, is_finished
from .cells import Cell
from .processes import DONE, INTERRUPTED, REFUSED, Outcome, Pool, Tell, make_slots

_PRELOAD = ("ntl_hf.compare.training", "ntl_hf.runs.sft", "ntl_hf.runs.train", "ntl_hf.runs.evaluate")


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
    pool = Pool(_run_cell, make_slots(jobs, devices), _PRELOAD)
    pool.warm_up()
    return pool


def _run_cell(item: tuple[Cell, int], tell: Tell) -> None:
    # Here, because the command itself does without these imports.
    from .training import run_cell

    run_cell(*item, tell)


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
    done: list[Cell] = []

    def on_outcome(position: int, outcome: Outcome) -> bool:
        done.extend([todo[position]] if outcome.how == DONE else [])
        return _note(todo[position], outcome, finish, console, is_first=not finish.skipped and not done)

    items, logs = [(cell, pool.slots[0].threads) for cell in todo], [cell.folder / LOG for cell in todo]
    finish.signal = run_with_bar(pool, items, logs, console, on_outcome, "Cells", names=[cell.name for cell in todo])
    return finish


def run_with_bar(
    pool: Pool,
    items: Sequence[Any],
    logs: Sequence[Path],
    console: Console,
    on_outcome: Callable[[int, Outcome], bool],
    label: str,
    names: Sequence[str],
    size: int = 1,
) -> int | None:
    """`Pool.run` with one bar on a terminal.

    Args:
        pool, items, logs, on_outcome: as of `Pool.run`.
        console: a terminal, or nothing is shown.
        label: before the bar.
        names: of the items, shown behind the bar while they run.
        size: what an item counts.
    """
    shares = [0.0] * len(items)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[now]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(items) * size, now="")

        def on_progress(position: int, share: float) -> None:
            shares[position] = share
            progress.update(bar, completed=round(sum(shares) * size, 2), now=names[position])

        def on_end(position: int, outcome: Outcome) -> bool:
            on_progress(position, 1.0 if outcome.how == DONE else 0.0)
            return on_outcome(position, outcome)

        return pool.run(items, logs, on_progress, on_end)


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
