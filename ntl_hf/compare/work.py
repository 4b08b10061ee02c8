"""What a process does for one cell: train it, unless that is done, and score it."""

import gc
import platform
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from typing import Any

import torch
import yaml
from transformers import TrainerCallback

from ..runs.data import load_eval_data
from ..runs.output_dir import RUN_MARKS
from ..runs.training import train
from ..trainers.interrupt import InterruptCallback
from .cells import Cell
from .evaluations import evaluation_arguments
from .folder import CELL, EVALUATION_SETTINGS, METRICS, RECIPE, TRAINING, write_json
from .process import InterruptedRunError, RefusedError, Tell
from .settings import parse
from .state import is_trained, missing_evaluations

_PACKAGES = ("ntl-hf", "torch", "transformers", "trl", "peft", "datasets")
_TRAINING_SHARE = 0.9
_TELL_S = 0.3


def run_cell(cell: Cell, tell: Tell) -> None:
    """Train and score a cell, or do what is missing of it; `cell.json` is written when all is there.

    Raises:
        RefusedError: data, model or settings cannot be trained with.
        InterruptedRunError: a signal stopped the training, and a checkpoint is saved.
    """
    _be_quiet()
    cell.folder.mkdir(parents=True, exist_ok=True)
    if not is_trained(cell):
        _train(cell, tell)
    for name in missing_evaluations(cell):
        _evaluate(cell, name)
    write_json(cell.folder / CELL, _describe(cell))


def _train(cell: Cell, tell: Tell) -> None:
    _note_training(cell, finished=None)
    (cell.folder / RECIPE).write_text(yaml.safe_dump(cell.public_recipe, sort_keys=False), encoding="utf-8")
    _remove_half_saved(cell)
    _check_evaluation_data(cell)
    script: Any = import_module(f"..runs.{cell.command}", __package__)
    arguments = parse(script.ARGUMENT_CLASSES, cell.recipe, f"variant '{cell.variant}'")
    try:
        trainer = script.build_trainer(*arguments)
    except (ValueError, OSError) as error:
        raise RefusedError(str(error)) from error
    trainer.add_callback(_Progress(tell))
    train(trainer)
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, InterruptCallback) and callback.has_interrupted(trainer.state):
            raise InterruptedRunError
    _note_training(cell, finished=_now())
    del trainer
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _check_evaluation_data(cell: Cell) -> None:
    """A split, a column or a task that is missing should not be found after the training."""
    script: Any = import_module("..runs.evaluate", __package__)
    for name in cell.evaluations:
        data_args, args = evaluation_arguments(cell, name)
        try:
            script.check_columns(load_eval_data(data_args))
            # Seconds, where there are such tasks at all.
            script._harness_tasks(data_args, args)
        except (ValueError, OSError, ImportError) as error:
            raise RefusedError(f"evaluation '{name}': {error}") from error


def _remove_half_saved(cell: Cell) -> None:
    """Of a training that was killed while it saved its model: the last checkpoint is what counts."""
    for mark in RUN_MARKS:
        for path in cell.folder.glob(mark):
            path.unlink()


def _evaluate(cell: Cell, name: str) -> None:
    script: Any = import_module("..runs.evaluate", __package__)
    folder = cell.evaluation_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    script.run(*evaluation_arguments(cell, name))
    if not (folder / METRICS).exists():
        raise RuntimeError(f"the evaluation '{name}' has left no {METRICS}.")
    write_json(folder / EVALUATION_SETTINGS, cell.evaluations[name])


def _note_training(cell: Cell, finished: str | None) -> None:
    content = {"variant": cell.variant, "seed": cell.seed, "settings": cell.settings, "finished": finished}
    write_json(cell.folder / TRAINING, content)


def _describe(cell: Cell) -> dict[str, Any]:
    content = {key: value for key, value in asdict(cell).items() if key not in ("folder", "recipe")}
    versions = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    return {**content, "versions": versions, "finished": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _be_quiet() -> None:
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.disable_progress_bar()


class _Progress(TrainerCallback):
    def __init__(self, tell: Tell) -> None:
        self._tell, self._told = tell, 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if time.monotonic() - self._told > _TELL_S:
            self._told = time.monotonic()
            self._tell(_TRAINING_SHARE * state.global_step / max(1, state.max_steps))
