"""The place in its data where a resumed run goes on: `PassOrder`, the order of its pass, and the place in a stream."""

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

from .checkpoints import STATE

logger = logging.getLogger(__name__)

_ORDER = "data_order"


class PassOrder:
    """The random state that the order of the present pass over the data is drawn from.

    Samplers such as that of `group_by_length`, streams and workers draw the order of a pass when it begins, and the
    stock checkpoint does not have the state of that time: a resumed run would skip the first rows of another order.
    Here it is saved, and in force while they are skipped.
    """

    def __init__(self) -> None:
        self._state: dict[str, Any] | None = None

    def begin(self, loader: Any) -> None:
        """Note the state of the pass that begins now."""
        self._state = _random_state(loader)

    def resume(self, trainer: Any, checkpoint: str, loader: Any, is_within: bool) -> None:
        """Put the state of the pass in force in which a checkpoint was saved.

        Args:
            trainer: that resumes.
            checkpoint: its folder.
            loader: of the training set.
            is_within: whether batches of the pass were done; else it begins now.
        """
        path = _path(trainer, checkpoint)
        state = _read(path)
        if not is_within:
            trainer._load_rng_state(checkpoint)  # which is what the stock method does next
            if state is not None:
                # Between two passes: what the stock random state leaves out.
                _set_generator_state(loader, state["generator_now"])
            self.begin(loader)
            return
        self._state = state
        if state is not None:
            _set_random_state(state, loader)
        elif _is_drawn(trainer) and trainer.accelerator.is_main_process:
            logger.warning(
                "%s does not say in which order the rows were (no %s): of this pass, some are trained twice and "
                "others not. Start anew for the model of an uninterrupted run.",
                checkpoint,
                path.name,
            )

    def save(self, trainer: Any, folder: str) -> None:
        """Write the state of the pass into a checkpoint."""
        if self._state is not None:
            now = _generator_state(trainer.callback_handler.train_dataloader)
            torch.save({**self._state, "generator_now": now}, _path(trainer, folder))


def tell_finished(trainer: Any, checkpoint: str, max_steps: int) -> None:
    """Say that nothing is left to train."""
    if trainer.accelerator.is_main_process:
        logger.warning(
            "Nothing is left to train: %s is of step %d, and training ends at step %d. What the run left stays as it "
            "is; to train on, raise `max_steps` or `num_train_epochs`.",
            checkpoint,
            trainer.state.global_step,
            max_steps,
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


def _is_drawn(trainer: Any) -> bool:
    """Whether the order of the rows depends on the random state of the process."""
    by_length = trainer.args.train_sampling_strategy == "group_by_length"
    return (by_length or not trainer.accelerator.use_seedable_sampler) and has_length(trainer.train_dataset)


def _path(trainer: Any, checkpoint: str) -> Path:
    process = f"_{trainer.args.process_index}" if trainer.args.world_size > 1 else ""
    return Path(checkpoint) / f"{_ORDER}{process}.pth"


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    with safe_globals():
        state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


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
