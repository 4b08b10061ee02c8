"""The work of a cell's process: train it, unless that is done, and score it."""

import gc
import os
import shlex
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import datasets
import torch
import yaml
from transformers import TrainerCallback
from transformers.utils import logging

from ..runs.data import load_eval_data
from ..runs.output_dir import RUN_MARKS
from ..runs.training import train
from ..settings.redaction import redacted
from ..trainers.interrupt import InterruptCallback
from .arguments import parse
from .cell_folder import (
    CELL,
    COMMAND,
    EVALUATION_SETTINGS,
    METRICS_FILE,
    RECIPE,
    TRAINING,
    is_trained,
    missing_evaluations,
    versions,
    write_json,
)
from .cells import Cell, evaluation_arguments
from .processes import InterruptedRunError, RefusedError, Tell

_TRAINING_SHARE = 0.9
_TELL_S = 0.3


def run_cell(cell: Cell, threads: int, tell: Tell) -> None:
    """Train and score a cell, or do what is missing of it; `cell.json` is written when all is there.

    Args:
        cell: to train.
        threads: of the CPU, at most.
        tell: takes the finished share.

    Raises:
        RefusedError: data, model or settings cannot be trained with.
        InterruptedRunError: a signal stopped the training, and a checkpoint is saved.
    """
    # OMP_NUM_THREADS, where it is set, asks for fewer.
    torch.set_num_threads(min(threads, torch.get_num_threads()))
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    cell.folder.mkdir(parents=True, exist_ok=True)
    if not is_trained(cell):
        _train(cell, tell)
    for name in missing_evaluations(cell):
        _evaluate(cell, name)
    write_json(cell.folder / CELL, _describe(cell))


def _train(cell: Cell, tell: Tell) -> None:
    _note_training(cell, finished=None)
    (cell.folder / RECIPE).write_text(yaml.safe_dump(cell.public_recipe, sort_keys=False), encoding="utf-8")
    (cell.folder / COMMAND).write_text(_command(cell), encoding="utf-8")
    # Of a training that was killed while it saved its model: the last checkpoint is what counts.
    for path in (path for mark in RUN_MARKS for path in cell.folder.glob(mark)):
        path.unlink()
    _check_evaluation_data(cell)
    script: Any = import_module(f"..runs.{cell.command}", __package__)
    arguments = parse(script.ARGUMENT_CLASSES, cell.recipe, f"variant '{cell.variant}'")
    try:
        trainer = script.build_trainer(*arguments)
    except (ValueError, OSError) as error:
        raise RefusedError(str(error)) from error
    trainer.add_callback(TellSteps(lambda share: tell(_TRAINING_SHARE * share)))
    train(trainer)
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, InterruptCallback) and callback.has_interrupted(trainer.state):
            raise InterruptedRunError
    _note_training(cell, finished=_now())
    del trainer
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _command(cell: Cell) -> str:
    """What trains the cell by hand, in any folder; sums of another number of threads may differ in their last bits."""
    variables = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    if "CUDA_VISIBLE_DEVICES" in os.environ:  # with several, a trainer would take them all
        variables["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    words = ["ntl-hf", cell.command, "--config", str((cell.folder / RECIPE).absolute())]
    words += ["--output_dir", cell.folder.name]
    secret = [key for key, value in cell.recipe.items() if redacted({key: value}) != {key: value}]
    note = f"# Not in the recipe, because it may be secret: {', '.join(secret)}\n" if secret else ""
    return f"{note}{' '.join(f'{name}={value}' for name, value in variables.items())} {shlex.join(words)}\n"


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


def _evaluate(cell: Cell, name: str) -> None:
    script: Any = import_module("..runs.evaluate", __package__)
    folder = cell.evaluation_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    script.run(*evaluation_arguments(cell, name))
    if not (folder / METRICS_FILE).exists():
        raise RuntimeError(f"the evaluation '{name}' has left no {METRICS_FILE}.")
    write_json(folder / EVALUATION_SETTINGS, cell.evaluations[name])


def _note_training(cell: Cell, finished: str | None) -> None:
    content = {"variant": cell.variant, "seed": cell.seed, "settings": cell.settings, "finished": finished}
    write_json(cell.folder / TRAINING, content)


def _describe(cell: Cell) -> dict[str, Any]:
    content = {key: value for key, value in asdict(cell).items() if key not in ("folder", "recipe")}
    return {**content, "versions": versions(), "finished": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class TellSteps(TrainerCallback):
    """Tells the share of the steps that are done, a few times a second."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._told = tell, 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if time.monotonic() - self._told > _TELL_S:
            self._told = time.monotonic()
            self._tell(state.global_step / max(1, state.max_steps))
