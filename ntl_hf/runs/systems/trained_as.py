"""The system that a model was trained as, and whether it can go on as the one that is asked for."""

from typing import Any

from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
)

from ...systems.adapted import system_of
from ...systems.regression_head import is_regression_head
from ..job import SYSTEM_OPTIONS, SystemArguments

_NAMES = {"regression_transformer": "rt", "xval": "xval", "regression_head": "regression_head", None: "standard"}


def system_name(config: PretrainedConfig) -> str:
    """Which of the systems a model was trained as, by its configuration."""
    return "regression_head" if is_regression_head(config) else _NAMES[system_of(config)]


def auto_class_of(config: PretrainedConfig) -> Any:
    """The class of transformers that loads a model, by its configuration."""
    if is_regression_head(config):
        return AutoModelForSequenceClassification
    return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM


def check_start(config: PretrainedConfig, system_args: SystemArguments, name: str) -> None:
    """Raise `ValueError` for a model that is of another system than the one that it is to be trained as."""
    found, wanted = system_name(config), system_args.system
    # A Regression Transformer is a model with other tokens, which trains on like any other.
    if found not in ("standard", wanted) and (found, wanted) != ("rt", "standard"):
        raise ValueError(
            f"{name} was trained with `system: {found}` and cannot go on as '{wanted}': its tokens and "
            f"weights are of that system. Set `system: {found}`, or start from the base model."
        )
    # A model that has been trained as a system keeps its settings: others would be passed over.
    tokens, scaling = (getattr(config, field, None) or {} for field in ("number_tokens", "number_scaling"))
    saved = {
        "rt_places": [tokens.get("low"), tokens.get("high")],
        "rt_encoding": getattr(config, "number_encoding", None),
        "rt_largest": getattr(config, "number_encoding_largest", None),
        "number_scaling": scaling.get("kind"),
        "number_weight": getattr(config, "number_weight", None),
    }
    for option in SYSTEM_OPTIONS[found]:
        given = getattr(system_args, option)
        if option in saved and given not in (saved[option], getattr(SystemArguments(), option)):
            raise ValueError(
                f"`{option}` is {given}, but {name} was made with {saved[option]}: remove it, or start from the base "
                "model."
            )
