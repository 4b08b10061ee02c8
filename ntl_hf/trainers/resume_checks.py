"""Checks of a checkpoint against the run that resumes it, where the stock trainers fail late or go on quietly."""

import logging
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, TrainerState

from ..settings.checks import is_number
from ..settings.config import FILE_NAME, NTLConfig
from ..settings.json_settings import read_settings
from .cards import RunRecord
from .checkpoints import STATE, checkpoint_problem, list_checkpoints, told_by

logger = logging.getLogger(__name__)

# By what families of models call it: kind, width, depth, vocabulary.
_SHAPE = ("model_type", "hidden_size", "n_embd", "d_model", "num_hidden_layers", "n_layer", "num_layers", "vocab_size")
# What the weights of a system mean, see `ntl_hf.systems`.
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


# Settings that the state of the optimizer has, with which they go on.
_OF_OPTIMIZER = ("learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon")
_SEEDS, _STRATEGY = ("data_seed", "seed"), "train_sampling_strategy"
_OF_STEP = ("per_device_train_batch_size", "gradient_accumulation_steps", "num_processes")


def check_checkpoint(trainer: Any, folder: Path, record: RunRecord) -> None:
    """Raise `ValueError` for a checkpoint that cannot be resumed; warn of what it was trained with otherwise.

    Args:
        trainer: that is to resume it.
        folder: of the checkpoint.
        record: what the trainer is training with.
    """
    check_files(folder)
    tokenizer = trainer.processing_class
    if hasattr(tokenizer, "get_vocab") and (folder / "tokenizer_config.json").is_file():
        check_same_tokens(AutoTokenizer.from_pretrained(folder).get_vocab(), tokenizer.get_vocab(), str(folder))
    check_same_model(folder, trainer.model)
    check_same_deepspeed(folder, parallelism_of(trainer.accelerator))
    if record.balance is not None:
        record.balance.check(folder)
    if not has_optimizer(folder):
        warnings.warn(f"{folder} has no state of the optimizer (`save_only_model`?): it starts anew.")
    _warn_of_other_loss(folder, record.settings)


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
    told = told_by(folder, "saved_by")
    saved = {name: told.get(name) for name in parallelism} if told else {}
    if saved and saved != parallelism and "DEEPSPEED" in (saved["distributed_type"], parallelism["distributed_type"]):
        raise ValueError(
            f"{folder} was saved by {_described(saved)}, this run has {_described(parallelism)}: DeepSpeed resumes "
            "with the same number of processes and the same stage only."
        )


def parallelism_of(accelerator: Any) -> dict[str, Any]:
    """How the processes share the work, for whoever resumes."""
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    return {
        "distributed_type": accelerator.distributed_type.value,
        "num_processes": accelerator.num_processes,
        "zero_stage": None if plugin is None else plugin.zero_stage,
    }


def _warn_of_other_loss(folder: Path, config: NTLConfig) -> None:
    if not (folder / FILE_NAME).exists():
        warnings.warn(f"{folder} has no {FILE_NAME}: it was not trained with the number loss before.")
        return
    # How the loss is computed is no setting of the loss.
    differences = replace(NTLConfig.load(folder), head=config.head).differences(config)
    if differences:
        warnings.warn(
            f"Resuming {folder} with other settings of the number loss than it was trained with: "
            f"{'; '.join(differences)}."
        )


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


# ---- Settings that a resumed run cannot change, or that change which rows it sees ----


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
    saved = {name: value for name, value in told_by(checkpoint, "settings").items() if _is_like(value, name, given)}
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
