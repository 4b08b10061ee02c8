"""`NTLResumingMixin`: resumed runs go on where they were in the data, and finished ones not at all."""

import logging
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerState
from transformers.trainer_pt_utils import safe_globals
from transformers.trainer_utils import has_length

from .checkpoints import STATE, holds_final_model

logger = logging.getLogger(__name__)

_ORDER = "data_order"


class NTLResumingMixin:
    """Where a resumed run goes on; mixed into a `transformers` trainer, before that class.

    Samplers such as that of `group_by_length`, streams and workers draw the order of a pass over the data from the
    random state at its beginning, which the stock checkpoint does not have: a resumed run would skip the first rows of
    another order. Here it is saved, and in force while they are skipped.

    Attributes:
        finished_checkpoint: what `train` resumed, where that was of the last step, so that nothing was trained.
    """

    finished_checkpoint: str | None = None
    _pass_order: dict[str, Any] | None = None

    def _init_training_state(
        self,
        max_steps: int,
        num_update_steps_per_epoch: int,
        num_train_epochs: int,
        resume_from_checkpoint: str | None,
        trial: Any,
    ) -> tuple[int, int]:
        """As the stock method: the pass, and the batches of it that are done. None is left of a finished run."""
        position = super()._init_training_state(
            max_steps, num_update_steps_per_epoch, num_train_epochs, resume_from_checkpoint, trial
        )
        if resume_from_checkpoint is None:
            return position
        if 0 < max_steps <= self.state.global_step:
            # The stock trainer would take one step more, or write its checkpoint again.
            self.finished_checkpoint = resume_from_checkpoint
            self._tell_finished(max_steps)
            return num_train_epochs, 0
        if self.args.ignore_data_skip or has_length(self.train_dataset):
            return position
        return stream_position(Path(resume_from_checkpoint), self.args.gradient_accumulation_steps)

    def _tell_finished(self, max_steps: int) -> None:
        if self.accelerator.is_main_process:
            logger.warning(
                "Nothing is left to train: %s is of step %d, and training ends at step %d. What the run left stays as "
                "it is; to train on, raise `max_steps` or `num_train_epochs`.",
                self.finished_checkpoint,
                self.state.global_step,
                max_steps,
            )

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        loader, checkpoint = kwargs["train_dataloader"], kwargs["resume_from_checkpoint"]
        is_resumed = checkpoint is not None and kwargs["epoch"] == kwargs["epochs_trained"]
        if is_resumed and kwargs["steps_trained_in_current_epoch"] > 0:
            self._pass_order = self._restore_order(Path(checkpoint), loader)
        else:
            if is_resumed:
                self._load_rng_state(checkpoint)  # which is what the stock method does next
                self._restore_generator(Path(checkpoint), loader)
            self._pass_order = _random_state(loader)
        super()._run_epoch(*args, **kwargs)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        if self._pass_order is not None:
            now = _generator_state(self.callback_handler.train_dataloader)
            torch.save({**self._pass_order, "generator_now": now}, self._order_path(Path(output_dir)))

    def _read_order(self, checkpoint: Path) -> dict[str, Any] | None:
        path = self._order_path(checkpoint)
        if not path.is_file():
            return None
        with safe_globals():
            return torch.load(path, weights_only=True)

    def _restore_generator(self, checkpoint: Path, loader: Any) -> None:
        """Between two passes: what the stock random state leaves out."""
        state = self._read_order(checkpoint)
        if state is not None:
            _set_generator_state(loader, state["generator_now"])

    def _restore_order(self, checkpoint: Path, loader: Any) -> dict[str, Any] | None:
        state = self._read_order(checkpoint)
        if state is not None:
            _set_random_state(state, loader)
            return state
        is_drawn = self.args.train_sampling_strategy == "group_by_length" or not self.accelerator.use_seedable_sampler
        if is_drawn and has_length(self.train_dataset) and self.accelerator.is_main_process:
            logger.warning(
                "%s does not say in which order the rows were (no %s): of this pass, some are trained twice and "
                "others not. Start anew for the model of an uninterrupted run.",
                checkpoint,
                self._order_path(checkpoint).name,
            )
        return None

    def _order_path(self, checkpoint: Path) -> Path:
        process = f"_{self.args.process_index}" if self.args.world_size > 1 else ""
        return checkpoint / f"{_ORDER}{process}.pth"

    # ---- What a finished run has written ----

    def save_state(self) -> None:
        """As the stock method, but of a run that was finished before, what is there stays."""
        if not self._is_recorded():
            super().save_state()

    def save_metrics(self, split: str, metrics: dict[str, float], combined: bool = True) -> None:
        """As the stock method, but of a run that was finished before, the metrics of its training stay."""
        if self.finished_checkpoint is None or split != "train":
            super().save_metrics(split, metrics, combined)

    def _is_recorded(self) -> bool:
        """Whether the run was finished before, and its final model is there."""
        return self.finished_checkpoint is not None and holds_final_model(
            Path(self.args.output_dir), self.state.global_step
        )


def stream_position(checkpoint: Path, accumulation: int) -> tuple[int, int]:
    """In which pass over a stream a checkpoint is, and how many batches of it were done.

    The stock trainer takes all steps for one pass: it skips as many batches, and is then at the beginning of another.

    Args:
        checkpoint: with its `trainer_state.json`, whose epochs count `max_steps` to one.
        accumulation: batches of a step.
    """
    state = TrainerState.load_from_json(str(checkpoint / STATE))
    epoch = float(state.epoch or 0)
    full = max(0, math.ceil(epoch) - 1)
    return full, round((epoch - full) * state.max_steps) * accumulation


def _random_state(loader: Any) -> dict[str, Any]:
    """What the order of a pass is drawn from: the random states of the host, and a generator that processes share."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "cpu": torch.random.get_rng_state(),
        "generator": _generator_state(loader),
    }


def _set_random_state(state: dict[str, Any], loader: Any) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.random.set_rng_state(state["cpu"])
    _set_generator_state(loader, state["generator"])


def _generator_state(loader: Any) -> torch.Tensor | None:
    generator = getattr(loader, "synchronized_generator", None)
    return None if generator is None else generator.get_state()


def _set_generator_state(loader: Any, state: torch.Tensor | None) -> None:
    if state is not None and getattr(loader, "synchronized_generator", None) is not None:
        loader.synchronized_generator.set_state(state)
