"""Models whose numbers are tokens, loaded or made: as they are, or as a Regression Transformer."""

from typing import Any

from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    set_seed,
)

from ...systems.adapted import system_of
from ...systems.regression_head import is_regression_head
from ...systems.regression_transformer.model import load_regression_transformer
from ...systems.regression_transformer.places import place_value_vocab
from ...systems.regression_transformer.tokenizer import regression_transformer_tokenizer
from ...tokens.number_vocab import NumberVocab
from ...tokens.placed_digits import NumberTokens, number_token_ids
from ...trainers.checks import check_placed_digits
from ..model import Loaded, ModelArguments, NumberTokenArguments, load_model, load_tokenizer, model_kwargs
from .arguments import DEFAULTS, OPTIONS, SystemArguments

_NAMES = {"regression_transformer": "rt", "xval": "xval", "regression_head": "regression_head", None: "standard"}
# A Regression Transformer is a model with other tokens, which trains on like any other.
_TAKES = {
    "standard": ("standard", "rt"),
    "rt": ("standard", "rt"),
    "xval": ("standard", "xval"),
    "regression_head": ("standard", "regression_head"),
}


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
    found = system_name(config)
    if found not in _TAKES[system_args.system]:
        raise ValueError(
            f"{name} was trained with `system: {found}` and cannot go on as '{system_args.system}': its tokens and "
            f"weights are of that system. Set `system: {found}`, or start from the base model."
        )
    _check_kept(config, system_args, name)


def _check_kept(config: PretrainedConfig, system_args: SystemArguments, name: str) -> None:
    """A model that has been trained as a system keeps its settings: others would be passed over."""
    tokens, scaling = (getattr(config, field, None) or {} for field in ("number_tokens", "number_scaling"))
    saved = {
        "rt_places": [tokens.get("low"), tokens.get("high")],
        "rt_encoding": getattr(config, "number_encoding", None),
        "rt_largest": getattr(config, "number_encoding_largest", None),
        "number_scaling": scaling.get("kind"),
        "number_weight": getattr(config, "number_weight", None),
    }
    for option in OPTIONS[system_name(config)]:
        given = getattr(system_args, option)
        if given not in (saved[option], DEFAULTS[option]):
            raise ValueError(
                f"`{option}` is {given}, but {name} was made with {saved[option]}: remove it, or start from the base "
                "model."
            )


def load_token_model(
    config: PretrainedConfig,
    model_args: ModelArguments,
    token_args: NumberTokenArguments,
    system_args: SystemArguments,
    args: Any,
    **kwargs: Any,
) -> Loaded:
    """Load tokenizer and model of `system: standard` or `rt`.

    Raises:
        ValueError: settings that contradict each other or the model; `OSError`: there is no such model.
    """
    if system_args.system == "rt" and system_name(config) != "rt":
        return _load_rt(model_args, token_args, system_args, args, **kwargs)
    return load_model(auto_class_of(config), model_args, token_args, args, **kwargs)


def number_vocab(tokenizer: Any, system_args: SystemArguments, args: Any) -> NumberVocab | None:
    """The number tokens of a trainer; None leaves it to find them in the tokenizer.

    Raises:
        ValueError: a number loss that these tokens cannot have.
    """
    check_placed_digits(args.get_ntl_config(), tokenizer)
    if not system_args.rt_place_values:
        return None
    if args.ntl_weight == 0:
        raise ValueError("`rt_place_values` is for the number loss, whose `ntl_weight` is 0: remove one of the two.")
    return place_value_vocab(tokenizer, args.ntl_squash_factor)


def _load_rt(
    model_args: ModelArguments,
    token_args: NumberTokenArguments,
    system_args: SystemArguments,
    args: Any,
    **kwargs: Any,
) -> Loaded:
    low, high = system_args.rt_places
    if token_args.add_digit_tokens or token_args.split_digits:
        raise ValueError("`system: rt` has digit tokens of its own: remove `add_digit_tokens` and `split_digits`.")
    tokenizer = regression_transformer_tokenizer(load_tokenizer(model_args, args), (low, high))
    tokens = NumberTokens.from_tokenizer(tokenizer)
    set_seed(args.seed)
    model = load_regression_transformer(
        str(model_args.model_name_or_path),
        tokens,
        tokenizer_size=len(tokenizer),
        encoding=system_args.rt_encoding,
        largest=system_args.rt_largest,
        from_scratch=model_args.from_scratch,
        **{**model_kwargs(model_args, args), **kwargs},
    )
    return Loaded(model, tokenizer, number_token_ids(tokenizer))
