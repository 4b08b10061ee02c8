"""What a checkpoint must share with the run that resumes it; else the stock trainers fail late, or go on quietly."""

import warnings
from pathlib import Path
from typing import Any

from ..checkpoints import saved_by
from ..json_settings import read_settings

# By what families of models call it: kind, width, depth, vocabulary.
_SHAPE = ("model_type", "hidden_size", "n_embd", "d_model", "num_hidden_layers", "n_layer", "num_layers", "vocab_size")
# What the weights of a system mean, see `baselines`.
_SYSTEM = (
    *("number_tokens", "number_encoding", "number_encoding_largest"),
    *("num_token_id", "number_scaling", "number_weight"),
)
_OPTIMIZERS = ("optimizer.pt", "optimizer.bin", "optimizer_*", "global_step*")


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
    if not any(found for pattern in _OPTIMIZERS for found in folder.glob(pattern)):
        warnings.warn(f"{folder} has no state of the optimizer (`save_only_model`?): it starts anew.")


def _adapter(config: dict[str, Any]) -> dict[str, Any]:
    kind = str(config["peft_type"]).rpartition(".")[2] if config else None
    return {"adapter": kind, "r": config.get("r")}


def _active_adapter(model: Any) -> dict[str, Any]:
    configs = getattr(model, "peft_config", None) or {}
    return configs["default"].to_dict() if "default" in configs else {}


def _read(path: Path) -> dict[str, Any]:
    return read_settings(path, "Resume from another checkpoint.") if path.is_file() else {}


def _described(parallelism: dict[str, Any]) -> str:
    stage = "" if parallelism["zero_stage"] is None else f", ZeRO-{parallelism['zero_stage']}"
    return f"{parallelism['num_processes']} processes ({parallelism['distributed_type']}{stage})"
