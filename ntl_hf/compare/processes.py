"""One fresh process a cell, several side by side; one that fails leaves the others alone, a signal stops them all."""

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from pathlib import Path
from types import FrameType
from typing import Any

from .process import FAILED, INTERRUPTED, Slot, Tell, enter

_POLL_S = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Outcome:
    """How a cell ended: `DONE`, `FAILED`, `REFUSED` or `INTERRUPTED`, and the last line of its error."""

    how: str
    message: str = ""


@dataclass
class Pool:
    """Runs `work(item, tell)` for every item.

    Args:
        work: importable by its name. Raises `RefusedError` and `InterruptedRunError`; all else is a failure.
        slots: how many processes, and where.
        preload: modules that are imported once, for all processes.
        method: of `multiprocessing`; "forkserver" where there is one, unless a GPU has to be shared out.
    """

    work: Callable[[Any, Tell], None]
    slots: Sequence[Slot]
    preload: Sequence[str] = ()
    method: str = "spawn"
    _running: list["_Worker"] = field(default_factory=list)
    _signal: int | None = None

    def warm_up(self) -> None:
        """Begin with the imports in the background."""
        if self.method != "forkserver":
            return
        from multiprocessing import forkserver

        get_context("forkserver").set_forkserver_preload(list(self.preload))
        forkserver.ensure_running()

    def run(
        self,
        items: Sequence[Any],
        logs: Sequence[Path],
        on_progress: Callable[[int, float], None],
        on_outcome: Callable[[int, Outcome], bool],
    ) -> int | None:
        """Run all items, and return the signal that ended it early, or None.

        Args:
            items: arguments of `work`.
            logs: where each item's output goes, at the end of what is there.
            on_progress: called with an item's position and the share of it that is done.
            on_outcome: called with an item's position when it has ended; whether to go on.
        """
        todo, free = list(enumerate(items)), list(self.slots)
        with self._signals():
            while self._running or (todo and self._signal is None):
                while todo and free and self._signal is None:
                    position, item = todo.pop(0)
                    self._start(position, item, logs[position], free.pop(0))
                for worker in self._ended(on_progress):
                    self._running.remove(worker)
                    free.append(worker.slot)
                    if not on_outcome(worker.position, worker.outcome()):
                        todo.clear()
                        self._stop()
        return self._signal

    def _start(self, position: int, item: Any, log: Path, slot: Slot) -> None:
        context: Any = get_context(self.method)
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=enter, args=(self.work, item, theirs, slot, log))
        # What is spawned imports before it gets to `enter`. No daemon, which could have no workers for its data.
        with _environment({"CUDA_VISIBLE_DEVICES": slot.device} if slot.device is not None else {}):
            process.start()
        theirs.close()
        self._running.append(_Worker(position, slot, process, ours))
        # The signal may have come while there was nobody yet to pass it on to.
        if self._signal is not None:
            process.terminate()

    def _ended(self, on_progress: Callable[[int, float], None]) -> list["_Worker"]:
        """Hear the processes, and return those that are over."""
        waits = [each for worker in self._running for each in (worker.process.sentinel, worker.pipe) if worker.hears]
        connection.wait(waits or [worker.process.sentinel for worker in self._running], timeout=_POLL_S)
        return [worker for worker in self._running if worker.is_over(on_progress)]

    def _stop(self) -> None:
        for worker in self._running:
            worker.process.terminate()

    @contextmanager
    def _signals(self) -> Any:
        """The first signal stops the cells, which save; a second one ends them at once."""

        def note(number: int, frame: FrameType | None) -> None:
            if self._signal is not None:
                for worker in self._running:
                    worker.process.kill()
                return
            self._signal = number
            os.write(2, b"ntl-hf: stopping; trainings save a checkpoint first. Once more ends them at once.\n")
            self._stop()

        previous = {number: signal.signal(number, note) for number in _SIGNALS}
        try:
            yield
        finally:
            for worker in self._running:
                worker.process.kill()
                worker.process.join()
            for number, handler in previous.items():
                signal.signal(number, handler)


@dataclass
class _Worker:
    position: int
    slot: Slot
    process: Any
    pipe: Any
    hears: bool = True
    last: Outcome | None = None

    def is_over(self, on_progress: Callable[[int, float], None]) -> bool:
        """Hear what the process says, and whether it has ended."""
        # Asked before the pipe is read: what a process has said before its end is then in the pipe.
        is_over = self.process.exitcode is not None
        try:
            while self.hears and self.pipe.poll():
                kind, content = self.pipe.recv()
                if kind == "progress":
                    on_progress(self.position, content)
                else:
                    self.last = Outcome(kind, content)
        except (EOFError, OSError):
            self.hears = False
        return is_over

    def outcome(self) -> Outcome:
        code = self.process.exitcode
        if self.last is not None:
            return self.last
        if code in (-signal.SIGTERM, -signal.SIGINT):
            return Outcome(INTERRUPTED)
        how = (
            f"killed by signal {-code}, perhaps for want of memory: try --jobs 1" if code < 0 else f"exit code {code}"
        )
        return Outcome(FAILED, f"the process ended early ({how}).")


@contextmanager
def _environment(changes: dict[str, str]) -> Any:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
