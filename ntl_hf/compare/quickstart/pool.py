"""Run the cells side by side, one process a core, with one count of the steps done."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from queue import Empty
from typing import Any

_MOST_JOBS = 4  # each holds a Python with torch and transformers
_POLL_S = 0.5
_GRACE_S = 5.0

_OnStep = Callable[[], None]
_OnResult = Callable[[Any], None]


class RunFailedError(RuntimeError):
    """A run failed in its process; the message has the traceback from there."""


class RunKilledError(RuntimeError):
    """A process ended without a word."""


def default_jobs() -> int:
    """One process a usable core, four at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_JOBS)


def run_cells(
    train: Callable[..., Any], cells: list[Any], jobs: int, on_step: _OnStep, on_result: _OnResult
) -> list[Any]:
    """Call `train(cell, on_step=...)` for every cell and return the results in the order of the cells.

    Args:
        train: with several jobs, importable by its name, for it runs in fresh processes.
        cells: arguments of `train`.
        jobs: processes; 1 runs all in this one.
        on_step: called here, once for every call of the `on_step` that `train` is given.
        on_result: called here with each result as it comes.

    Raises:
        RunFailedError: `train` raised in one of several processes; the others are stopped.
        RunKilledError: one of several processes was killed; the others are stopped.
    """
    if jobs == 1:
        return [_inline(train, cell, on_step, on_result) for cell in cells]
    # `spawn`: a fork of a process that has run torch's threads may hang. Not `ProcessPoolExecutor`, which cannot stop
    # a run that has begun, so that Ctrl-C would wait for it.
    context = get_context("spawn")
    todo, news = context.Queue(), context.Queue()
    for item in [*enumerate(cells), *[None] * jobs]:
        todo.put(item)
    workers = [context.Process(target=_work, args=(train, todo, news), daemon=True) for _ in range(jobs)]
    try:
        for worker in workers:
            worker.start()
        return _collect(len(cells), news, workers, on_step, on_result)
    finally:
        _stop([worker for worker in workers if worker.pid is not None])


def _inline(train: Callable[..., Any], cell: Any, on_step: _OnStep, on_result: _OnResult) -> Any:
    result = train(cell, on_step=on_step)
    on_result(result)
    return result


def _collect(count: int, news: Any, workers: list[Any], on_step: _OnStep, on_result: _OnResult) -> list[Any]:
    results: dict[int, Any] = {}
    while len(results) < count:
        if any(worker.exitcode for worker in workers):
            raise RunKilledError("A training process was killed.")
        try:
            kind, index, content = news.get(timeout=_POLL_S)
        except Empty:
            continue
        if kind == "step":
            on_step()
        elif kind == "result":
            results[index] = content
            on_result(content)
        else:
            raise RunFailedError(f"A training run failed.\n{content}")
    return [results[index] for index in range(count)]


def _stop(workers: list[Any]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(_GRACE_S)
        worker.kill()
        worker.join()  # or it would still be there for a moment


def _work(train: Callable[..., Any], todo: Any, news: Any) -> None:
    """The life of a process: one cell after the other, until there are none."""
    # Ctrl-C reaches the whole process group; the parent answers it for all. To be terminated is to leave by
    # exception, which removes temporary folders.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    while (item := todo.get()) is not None:
        index, cell = item
        try:
            news.put(("result", index, train(cell, on_step=lambda: news.put(("step", None, None)))))
        except Exception:
            news.put(("error", index, traceback.format_exc()))
    # All is done and cleaned up: an exception while Python shuts down would only print a traceback.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
