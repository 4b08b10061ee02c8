"""`InterruptCallback`: SIGTERM and SIGINT end training at the next step, with a checkpoint."""

import os
import signal
import time
from functools import partial
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A launcher passes on what a scheduler may have sent to all processes: within this time, it is one and the same.
DUPLICATE_SIGNAL_WINDOW_S = 3.0


class InterruptCallback(TrainerCallback):
    """Saves and stops at the same step in all processes, whichever of them the signal reaches first.

    The stock `enable_jit_checkpoint` hears SIGTERM alone, and in each process for itself: with several, they stop at
    different steps, and wait for each other for ever. Here they agree through a reduction on the host that runs while
    the next step computes, so stopping takes one step more. A second signal, three seconds later or more, ends the
    process at once.

    Signals are handled inside a `with` block, in the main thread:

        >>> with InterruptCallback() as interrupt:
        ...     trainer.add_callback(interrupt)
        ...     trainer.train()
        >>> if interrupt.stopped_at is not None: ...

    Attributes:
        stopped_at: the global step at which training was stopped and saved, or None.
    """

    def __init__(self) -> None:
        self.stopped_at: int | None = None
        self._wanted_at: float | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self._group: Any = None
        self._votes: tuple[torch.Tensor, Any] | None = None

    def __enter__(self) -> "InterruptCallback":
        self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._wanted_at is None:
            self._wanted_at = now
            # Not through a logger: the signal may have come in the middle of one's writing.
            os.write(2, f"{signal.Signals(number).name}: saving a checkpoint and stopping.\n".encode())
        elif now - self._wanted_at > DUPLICATE_SIGNAL_WINDOW_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def has_interrupted(self, state: TrainerState) -> bool:
        """Whether training was stopped before its end."""
        return self.stopped_at is not None and self.stopped_at < state.max_steps

    # ---- Events ----

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.stopped_at, self._votes = None, None
        if self._group is None and dist.is_initialized() and dist.get_world_size() > 1:
            # On the host, whatever the backend of the gradients: reading the result costs no sync of the device.
            self._group = dist.new_group(backend="gloo")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._all_agree():
            self.stopped_at = state.global_step
            control.should_save = control.should_training_stop = True
            # The time that is left is for the checkpoint.
            control.should_evaluate = False

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.stopped_at is not None:
            # Comes right after the step that was saved.
            control.should_save = control.should_evaluate = False

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._votes is not None:
            self._votes[1].wait()

    def _all_agree(self) -> bool:
        """Whether to stop now: some process wanted to by the end of its last step (alone: of this one)."""
        wanted = self._wanted_at is not None
        if self._group is None:
            return wanted
        votes, self._votes = self._votes, None
        if votes is not None:
            votes[1].wait()
            if votes[0].item():
                return True
        vote = torch.tensor([int(wanted)])
        self._votes = (vote, dist.all_reduce(vote, dist.ReduceOp.MAX, group=self._group, async_op=True))
        return False


def ignore_signals_in_workers(dataloader: Any) -> Any:
    """Let the workers of a data loader ignore both signals, and return it.

    Schedulers signal all processes; without its workers, the trainer would not get as far as its checkpoint.
    """
    inner = getattr(dataloader, "base_dataloader", dataloader)  # accelerate's stands before the one that has them
    start = getattr(inner, "worker_init_fn", None)
    is_kept = isinstance(start, partial) and start.func is _start_worker
    if getattr(inner, "num_workers", 0) > 0 and not is_kept:
        inner.worker_init_fn = partial(_start_worker, start)
    return dataloader


def _start_worker(previous: Any, worker: int) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if previous is not None:
        previous(worker)
