"""The systems of this room as the trainers know them, by the functions that `ModelSystems` names.

That is which models are theirs, what must not be mixed (a model of one system with the tokens or the trainer of
another), and what a model card says of them.
"""

from typing import Any

from transformers import PretrainedConfig

from ..tokens.placed_digits import NumberTokens, has_number_tokens
from .adapted import system_of
from .regression_head import is_regression_head
from .xval.text import NUM_TOKEN

_ABOUT = {
    "xval": (
        "xVal ([Golkar et al. 2023](https://arxiv.org/abs/2310.02989)): every number is the token `[NUM]`, scaled by "
        "its value, and a second head predicts values. Trained with cross entropy and squared error, with `ntl_hf`:"
    ),
    "regression_head": (
        "A regression head: the sequence classifier of transformers with one output, which is the scaled number. "
        "Trained with squared error, with `ntl_hf`:"
    ),
    "regression_transformer": (
        "A Regression Transformer ([Born and Manica 2023](https://doi.org/10.1038/s42256-023-00639-z)): numbers are "
        "tokens of a digit and its place, whose values are encoded in their embeddings. Made with `ntl_hf`:"
    ),
}
_MIXED = {
    False: (
        "The tokenizer has the number tokens of a Regression Transformer (`_5_0_`), and the model is a plain one, "
        "which would not add their encodings. Make the model with `load_regression_transformer` (`system: rt` in a "
        "recipe), or take the model's own tokenizer."
    ),
    True: (
        "The model is a Regression Transformer, and the tokenizer has none of its number tokens (`_5_0_`): load the "
        "tokenizer that was saved with the model."
    ),
}
_SETTINGS = ("number_scaling", "number_weight", "num_token_id", "number_encoding", "number_encoding_largest")


def system_name(config: PretrainedConfig) -> str | None:
    """ "xval", "regression_head" or "regression_transformer"; None for the config of any other model."""
    return "regression_head" if is_regression_head(config) else system_of(config)


def check_token_model(config: PretrainedConfig, tokenizer: Any) -> None:
    """Raise `ValueError` unless a model is trained on the tokens of its tokenizer, digits with places included.

    Args:
        config: of the model.
        tokenizer: its tokenizer, or None where that is not known.
    """
    if system_of(config) == "xval" or is_regression_head(config):
        raise ValueError(
            f"A model of type '{config.model_type}' with a number head writes no number tokens, which is what the "
            "number loss acts on: train it with `ntl_hf.systems.NumberHeadTrainer`."
        )
    if tokenizer is None:
        return
    if NUM_TOKEN in getattr(tokenizer, "tokenizer", tokenizer).get_vocab():
        raise ValueError(
            f"The tokenizer is xVal's, with one token {NUM_TOKEN} for all numbers, and the model is none of xVal's: "
            "make it with `load_xval` (`system: xval` in a recipe), or take the model's own tokenizer."
        )
    is_transformer = system_of(config) == "regression_transformer"
    if is_transformer != has_number_tokens(tokenizer):
        raise ValueError(_MIXED[is_transformer])
    if is_transformer and NumberTokens(**config.number_tokens) != NumberTokens.from_tokenizer(tokenizer):
        raise ValueError(
            f"The Regression Transformer was made for the tokens {config.number_tokens}, and the tokenizer has "
            f"{NumberTokens.from_tokenizer(tokenizer)}: load the tokenizer that was saved with the model."
        )


def check_adapter(model: Any) -> None:
    """Raise `ValueError` for prompt tuning of a system: peft then looks tokens up itself, and leaves numbers out."""
    adapters = getattr(model, "peft_config", None) or {}
    if system_of(model.config) is not None and any(each.is_prompt_learning for each in adapters.values()):
        raise ValueError(
            f"Prompt tuning of a model of type '{model.config.model_type}' would leave out what it adds to the "
            "embeddings of numbers: use LoRA."
        )


def is_system(config: PretrainedConfig) -> bool:
    """Whether a model is a Regression Transformer, xVal or a regression head."""
    return system_name(config) is not None


def check_model(model: Any, tokenizer: Any) -> None:
    """Raise `ValueError` as `check_token_model` and `check_adapter` do."""
    check_token_model(model.config, tokenizer)
    check_adapter(model)


def card_section(config: PretrainedConfig) -> str:
    """Which system a model is and with which settings, as Markdown; empty for other models."""
    system = system_name(config)
    if system is None:
        return ""
    rows = "\n".join(f"| `{name}` | {getattr(config, name)} |" for name in _SETTINGS if hasattr(config, name))
    return f"## Number system\n\n{_ABOUT[system]}\n\n| setting | value |\n|---|---|\n{rows}\n"
