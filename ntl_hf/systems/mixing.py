"""What must not be mixed: a model of one system with the tokens or the trainer of another."""

from typing import Any

from transformers import PretrainedConfig

from ..tokens.placed_digits import NumberTokens, has_number_tokens
from .adapted import system_of
from .regression_head.model import is_regression_head
from .xval.values import NUM_TOKEN


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
