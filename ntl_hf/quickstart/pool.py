"""Run the cells side by side, one process a core, with one count of the steps done."""

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any

_MOST_JOBS = 4  # each holds a Python with torch and transformers
_POLL_S = 0.2

# In a worker process: where it reports its steps.
_steps: Any = None


def default_jobs() -> int:
    """One process a usable core, four at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_JOBS)


def run_cells(
    train: Callable[..., Any],
    cells: list[Any],
    jobs: int,
    on_step: Callable[[], None],
    on_result: Callable[[Any], None],
) -> list[Any]:
    """Call `train(cell, on_step=...)` for every cell and return the results in the order of the cells.

    Args:
        train: with several jobs, importable by its name, for it runs in fresh processes.
        cells: arguments of `train`.
        jobs: processes; 1 runs all in this one.
        on_step: called here, once for every call of the `on_step` that `train` is given.
        on_result: called here with each result as it comes.

    Raises:
        BrokenProcessPool: a process was killed.
    """
    if jobs == 1:
        return [_inline(train, cell, on_step, on_result) for cell in cells]
    # `spawn`: a fork of a process that has run torch's threads may hang.
    context = get_context("spawn")
    queue = context.Queue()
    with ProcessPoolExecutor(min(jobs, len(cells)), context, _start_worker, (queue,)) as pool:
        futures = [pool.submit(_in_worker, train, cell) for cell in cells]
        try:
            _follow(set(futures), queue, on_step, on_result)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _inline(
    train: Callable[..., Any], cell: Any, on_step: Callable[[], None], on_result: Callable[[Any], None]
) -> Any:
    result = train(cell, on_step=on_step)
    on_result(result)
    return result


def _follow(
    pending: set["Future[Any]"], queue: Any, on_step: Callable[[], None], on_result: Callable[[Any], None]
) -> None:
    while pending:
        done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        while not queue.empty():
            queue.get()
            on_step()
        for future in done:
            on_result(future.result())


def _start_worker(queue: Any) -> None:
    global _steps
    _steps = queue


def _in_worker(train: Callable[..., Any], cell: Any) -> Any:
    return train(cell, on_step=_report_step)


def _report_step() -> None:
    _steps.put(1)
