"""One fresh process a cell, several side by side; one that fails leaves the others alone, a signal stops them all."""

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from types import FrameType
from typing import Any

from ..settings.redaction import redacted_text

DONE, FAILED, REFUSED, INTERRUPTED = "done", "failed", "refused", "interrupted"
_POLL_S = 0.5
_MOST_JOBS = 4  # each holds a Python with torch and transformers
# The first of the modules that a server of processes imports.
_SILENCE = "ntl_hf.compare.silent_import"

Tell = Callable[[float], None]
"""Takes the finished share of a cell, 0 to 1."""


class RefusedError(ValueError):
    """A cell cannot be trained as it is; nothing was trained."""


class InterruptedRunError(RuntimeError):
    """A signal ended the training of a cell, with a checkpoint."""


@dataclass(frozen=True)
class Slot:
    """A place for one process: its device (a value of CUDA_VISIBLE_DEVICES; None: as it is) and its CPU threads."""

    device: str | None = None
    threads: int = 1

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a process in this place is started with."""
        return {} if self.device is None else {"CUDA_VISIBLE_DEVICES": self.device}


@dataclass(frozen=True)
class Outcome:
    """How a cell ended.

    Attributes:
        how: `DONE`, `FAILED`, `REFUSED` or `INTERRUPTED`.
        message: the last line of its error.
        result: what `work` has returned.
        is_killed: whether the process has ended without a word.
    """

    how: str
    message: str = ""
    result: Any = None
    is_killed: bool = False


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs() -> int:
    """One process a usable core, four at most."""
    return min(usable_cores(), _MOST_JOBS)


def make_slots(jobs: int, devices: Sequence[str] = ()) -> list[Slot]:
    """Places for so many processes: devices are dealt out in turn, and the cores are shared."""
    threads = max(1, usable_cores() // jobs)
    return [Slot(devices[i % len(devices)] if devices else None, threads) for i in range(jobs)]


@contextmanager
def environment(changes: dict[str, str]) -> Iterator[None]:
    """Variables of the environment that are set for the block; whatever it changes of others is undone too."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass
class Pool:
    """Runs `work(item, tell)` for every item.

    Processes are forked from one server that has imported `preload` and nothing else, so that no thread of torch is
    there yet. Without forks, or where a GPU is shared out, each imports for itself: a process that has asked for GPUs
    cannot be forked, and importing may ask.

    Args:
        work: importable by its name. Raises `RefusedError` and `InterruptedRunError`; all else is a failure.
        slots: how many processes, and where.
        preload: modules that are imported once, for all processes.
        method: of `multiprocessing`; None: "forkserver" where it can be, else "spawn".
        stopping: what is said at the first signal.
    """

    work: Callable[[Any, Tell], Any]
    slots: Sequence[Slot]
    preload: Sequence[str] = ()
    method: str | None = None
    stopping: str = "stopping; trainings save a checkpoint first. Once more ends them at once."
    _running: list["_Worker"] = field(default_factory=list)
    _signal: int | None = None

    def __post_init__(self) -> None:
        if self.method is None:
            can_fork = sys.platform == "linux" and not any(slot.device for slot in self.slots)
            self.method = "forkserver" if can_fork else "spawn"

    def warm_up(self) -> None:
        """Begin with the imports in the background."""
        if self.method != "forkserver":
            return
        from multiprocessing import forkserver

        get_context("forkserver").set_forkserver_preload([_SILENCE, *self.preload])
        with environment(self.slots[0].environment):
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
        process = context.Process(target=_enter, args=(self.work, item, theirs, slot, log))
        # What is spawned imports before it gets to `_enter`. No daemon, which could have no workers for its data.
        with environment(slot.environment):
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
    def _signals(self) -> Iterator[None]:
        """The first signal stops the cells, which save; a second one ends them at once."""

        def note(number: int, frame: FrameType | None) -> None:
            if self._signal is not None:
                for worker in self._running:
                    worker.process.kill()
                return
            self._signal = number
            os.write(2, f"ntl-hf: {self.stopping}\n".encode())
            self._stop()

        previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
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
                said = self.pipe.recv()
                if isinstance(said, Outcome):
                    self.last = said
                else:
                    on_progress(self.position, said)
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
        return Outcome(FAILED, f"the process ended early ({how}).", is_killed=True)


def _enter(work: Callable[[Any, Tell], Any], item: Any, pipe: Any, slot: Slot, log: Path) -> None:
    """The life of a process: one cell."""
    # Ctrl-C reaches the whole process group; the parent answers it for all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.disable(logging.NOTSET)
    _write_to(log)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(slot.environment)

    def say(content: float | Outcome) -> None:
        # Without the parent there is nobody to tell, but still a checkpoint to save.
        with suppress(OSError):
            pipe.send(content)

    try:
        outcome = Outcome(DONE, result=work(item, say))
    except InterruptedRunError:
        outcome = Outcome(INTERRUPTED)
    except Exception as error:
        # Into the log; addresses with a login are in the messages of libraries.
        print(redacted_text(traceback.format_exc()), end="", file=sys.stderr)
        is_refused = isinstance(error, RefusedError)
        line = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
        message = redacted_text(" ".join(str(error).split()) if is_refused else line)
        outcome = Outcome(REFUSED if is_refused else FAILED, message)
    say(outcome)


def _write_to(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)


def _end_with_parent() -> None:
    """Save and stop when the command that started this is gone: the next one would begin beside it."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
