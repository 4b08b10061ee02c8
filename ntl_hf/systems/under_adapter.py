"""The model under an adapter: an adapter holds the name of its base model, and not which system was made of that.

So the configuration is saved beside such an adapter, and from the two the model is made again.
"""

from typing import Any

from transformers import AutoConfig, PretrainedConfig

from ..tokens.placed_digits import NumberTokens
from .adapted import register_for, system_of
from .registration import system_name
from .regression_head import is_regression_head, load_regression_head
from .regression_transformer.model import load_regression_transformer
from .scaling import scaling_of
from .xval.model import load_xval


def saved_system(adapter: str, **hub_options: Any) -> PretrainedConfig | None:
    """The configuration that was saved beside an adapter; None for an adapter of a plain model.

    Args:
        adapter: its folder, or its name on the hub.
        hub_options: such as `revision`.
    """
    settings, _ = PretrainedConfig.get_config_dict(adapter, **hub_options)
    if "model_type" not in settings:
        return None
    register_for(adapter, **hub_options)
    config = AutoConfig.from_pretrained(adapter, **hub_options)
    return config if system_name(config) is not None else None


def rebuild(base: str, system: PretrainedConfig, tokenizer: Any, **kwargs: Any) -> Any:
    """What `system` describes, made of a base model; its new weights are random, for the adapter to fill.

    Args:
        base: name or folder of the base model.
        system: from `saved_system`.
        tokenizer: the adapter's.
        kwargs: for `from_pretrained`.

    Raises:
        OSError: there is no such base model.
    """
    if is_regression_head(system):
        return load_regression_head(base, tokenizer, scaling_of(system), **kwargs)
    if system_of(system) == "xval":
        number_weight = system.number_weight
        return load_xval(base, system.num_token_id, len(tokenizer), scaling_of(system), number_weight, **kwargs)
    return load_regression_transformer(
        base,
        NumberTokens(**system.number_tokens),
        tokenizer_size=len(tokenizer),
        encoding=system.number_encoding,
        largest=system.number_encoding_largest,
        **kwargs,
    )
