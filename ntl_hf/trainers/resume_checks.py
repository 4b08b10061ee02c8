"""What a checkpoint must share with the run that resumes it; else the stock trainers fail late, or go on quietly."""

import logging
import warnings
from pathlib import Path
from typing import Any

from transformers import TrainerState

from ..settings.checks import is_number
from ..settings.json_settings import read_settings
from .checkpoints import STATE, checkpoint_problem, list_checkpoints, saved_by

logger = logging.getLogger(__name__)

# By what families of models call it: kind, width, depth, vocabulary.
_SHAPE = ("model_type", "hidden_size", "n_embd", "d_model", "num_hidden_layers", "n_layer", "num_layers", "vocab_size")
# What the weights of a system mean, see `baselines`.
_SYSTEM = (
    *("number_tokens", "number_encoding", "number_encoding_largest"),
    *("num_token_id", "number_scaling", "number_weight"),
)
# Names and values that are read when training begins, by libraries that do not say which file is damaged.
_JSON_FILES = (
    *("config.json", "adapter_config.json", "generation_config.json"),
    *("tokenizer_config.json", "tokenizer.json"),
)
_ADVICE = "Resume from another checkpoint."
_OPTIMIZERS = ("optimizer.pt", "optimizer.bin", "optimizer_*", "global_step*")


def check_files(folder: Path) -> None:
    """Raise `ValueError`, with the file, if one of a checkpoint's JSON files is damaged."""
    for name in _JSON_FILES:
        _read(folder / name)
    _check_state(folder / STATE)


def _check_state(path: Path) -> None:
    """Where the run is: the stock trainer would count on from whatever stands there."""
    if not path.is_file():
        return
    state = read_settings(path, _ADVICE)
    step, epoch = state.get("global_step"), state.get("epoch")
    if type(step) is not int or step < 0:
        raise ValueError(f"`global_step` in {path} is {step!r}; it must be a whole number, 0 or more. {_ADVICE}")
    if epoch is not None and (not is_number(epoch) or epoch < 0):
        raise ValueError(f"`epoch` in {path} is {epoch!r}; it must be a finite number, 0 or more. {_ADVICE}")
    history = state.get("log_history", [])
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise ValueError(f"`log_history` in {path} must be a list of names and values. {_ADVICE}")
    try:
        TrainerState.load_from_json(str(path))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is no state of a trainer: {error}. {_ADVICE}") from error


def check_same_tokens(saved: dict[str, int], given: dict[str, int], folder: str) -> None:
    """Raise `ValueError` if two vocabularies, from token to id, differ; `folder` is where the first is from."""
    if saved == given:
        return
    differing = [token for token, number in saved.items() if given.get(token) != number]
    example = differing[0] if differing else next(token for token in given if token not in saved)
    raise ValueError(
        f"{folder} was trained with another tokenizer: it has {len(saved):,} tokens and this one {len(given):,}, and "
        f"{example!r} is {saved.get(example, 'not a token')} there and {given.get(example, 'not a token')} here. "
        "Resume with the tokenizer and the model that it was trained with, or choose another `output_dir`."
    )


def check_same_model(folder: Path, model: Any) -> None:
    """Raise `ValueError` if a checkpoint is of a model of another shape or system, or of another adapter."""
    saved, config = _read(folder / "config.json"), model.config.to_dict()
    names = [name for name in (*_SHAPE, *_SYSTEM) if name in saved]
    found = {**_adapter(_read(folder / "adapter_config.json")), **{name: saved[name] for name in names}}
    given = {**_adapter(_active_adapter(model)), **{name: config.get(name) for name in names}}
    differing = [f"{name} {found[name]!r} and {given[name]!r}" for name in found if found[name] != given[name]]
    if differing:
        raise ValueError(
            f"{folder} is of another model than this run's ({', '.join(differing)}). Resume with the model and the "
            "adapter that it was trained with, or choose another `output_dir`."
        )


def check_same_deepspeed(folder: Path, parallelism: dict[str, Any]) -> None:
    """Raise `ValueError` if a checkpoint cannot be read because of DeepSpeed, which splits it among the processes."""
    told = saved_by(folder)
    saved = {name: told.get(name) for name in parallelism} if told else {}
    if saved and saved != parallelism and "DEEPSPEED" in (saved["distributed_type"], parallelism["distributed_type"]):
        raise ValueError(
            f"{folder} was saved by {_described(saved)}, this run has {_described(parallelism)}: DeepSpeed resumes "
            "with the same number of processes and the same stage only."
        )


def warn_without_optimizer(folder: Path) -> None:
    """Warn if a checkpoint has no state of the optimizer, which the stock trainers then start anew without a word."""
    if not has_optimizer(folder):
        warnings.warn(f"{folder} has no state of the optimizer (`save_only_model`?): it starts anew.")


def warn_of_other_checkpoints(trainer: Any, folder: Path) -> None:
    """Warn of whole checkpoints where a run starts anew: `True` would resume the last of them, whoever wrote it."""
    whole = [each for each in list_checkpoints(folder) if checkpoint_problem(each) is None]
    if whole and trainer.accelerator.is_main_process:
        logger.warning(
            "Training starts anew in a folder with checkpoints of an earlier run, the last of which is %s. "
            "`resume_from_checkpoint=True` takes the last step that is there, of whichever run: move these away, or "
            "choose another `output_dir`.",
            whole[0],
        )


def has_optimizer(folder: Path) -> bool:
    """Whether a checkpoint has a state of the optimizer."""
    return any(found for pattern in _OPTIMIZERS for found in folder.glob(pattern))


def _adapter(config: dict[str, Any]) -> dict[str, Any]:
    kind = str(config["peft_type"]).rpartition(".")[2] if config else None
    return {"adapter": kind, "r": config.get("r")}


def _active_adapter(model: Any) -> dict[str, Any]:
    configs = getattr(model, "peft_config", None) or {}
    return configs["default"].to_dict() if "default" in configs else {}


def _read(path: Path) -> dict[str, Any]:
    return read_settings(path, _ADVICE) if path.is_file() else {}


def _described(parallelism: dict[str, Any]) -> str:
    stage = "" if parallelism["zero_stage"] is None else f", ZeRO-{parallelism['zero_stage']}"
    return f"{parallelism['num_processes']} processes ({parallelism['distributed_type']}{stage})"
