"""Settings that a resumed run cannot change, or that change which rows it sees: recorded in each checkpoint."""

import logging
import math
from pathlib import Path
from typing import Any

from ..settings.checks import is_number
from .checkpoints import settings_of
from .resume_checks import has_optimizer

logger = logging.getLogger(__name__)

# The state of the optimizer has them, and with it they go on.
_OF_OPTIMIZER = ("learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon")
_SEEDS, _STRATEGY = ("data_seed", "seed"), "train_sampling_strategy"
_OF_STEP = ("per_device_train_batch_size", "gradient_accumulation_steps", "num_processes")


def settings_to_record(trainer: Any) -> dict[str, Any]:
    """What `go_on_with` compares, for the manifest of a checkpoint."""
    names = (*_OF_OPTIMIZER, *_SEEDS, _STRATEGY, *_OF_STEP[:2])
    found = {name: getattr(trainer.args, name) for name in names}
    plain = {name: value if value is None or is_number(value) else str(value) for name, value in found.items()}
    return {**plain, "num_processes": trainer.accelerator.num_processes}


def go_on_with(trainer: Any, checkpoint: Path) -> None:
    """Say in one line which settings differ from those of a checkpoint, and what goes on.

    Those that the state of the optimizer has are set back in the arguments, so that what is saved tells what was
    trained with. A checkpoint that has no record is passed over.
    """
    given = settings_to_record(trainer)
    saved = {name: value for name, value in settings_of(checkpoint).items() if _is_like(value, name, given)}
    differing = [name for name, value in saved.items() if value != given[name]]
    kept = [name for name in differing if name in _OF_OPTIMIZER and has_optimizer(checkpoint)]
    told = [f"{name} {given[name]} is not used: the optimizer goes on with {saved[name]}" for name in kept]
    rows = [] if trainer.args.ignore_data_skip else _of_rows(saved, given, differing)
    if rows:
        changes = ", ".join(f"{name} {given[name]} and not {saved[name]}" for name in rows)
        told.append(f"the order of the rows is another ({changes}): of this pass, some may come twice and others not")
    if told and trainer.accelerator.is_main_process:
        logger.warning("Resuming %s with other settings than it was trained with: %s.", checkpoint, "; ".join(told))
    for name in kept:
        setattr(trainer.args, name, saved[name])


def _is_like(value: Any, name: str, given: dict[str, Any]) -> bool:
    """Whether a recorded value can be compared: releases to come may record others."""
    return name in given and (name in _SEEDS or is_number(value) == is_number(given[name]))


def _of_rows(saved: dict[str, Any], given: dict[str, Any], differing: list[str]) -> list[str]:
    """What changes the order of rows; the same rows in a step, split in another way, do not."""
    ignored: tuple[str, ...] = (*_OF_OPTIMIZER,)
    if _seed_of_order(saved) == _seed_of_order(given):
        ignored += _SEEDS
    if "group_by_length" not in given[_STRATEGY] and _rows_of_step(saved) == _rows_of_step(given):
        ignored += _OF_STEP
    return [name for name in differing if name not in ignored]


def _seed_of_order(settings: dict[str, Any]) -> Any:
    return next((settings[name] for name in _SEEDS if settings.get(name) is not None), None)


def _rows_of_step(settings: dict[str, Any]) -> float:
    return math.prod(settings.get(name, 0) for name in _OF_STEP)
