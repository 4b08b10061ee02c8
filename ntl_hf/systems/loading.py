"""A system's config and model, made of a base checkpoint."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoConfig

from .adapted import adapted_classes, split_model_type, system_of

_HUB_OPTIONS = (
    "cache_dir",
    "force_download",
    "local_files_only",
    "revision",
    "subfolder",
    "token",
    "trust_remote_code",
)


def adapted_config(kind: str, base_config: Any, **settings: Any) -> Any:
    """The config of a system with all settings of a base's config.

    Raises:
        ValueError: the base already is of a system, or cannot be the base of one; see `adapted_classes` too.
    """
    if system_of(base_config) is not None:
        raise ValueError(
            f"The model is of type '{base_config.model_type}', a {system_of(base_config)} already: load it with "
            "`from_pretrained`, or start from the base model."
        )
    config_class, _ = adapted_classes(kind, base_config.model_type)
    # Gemma 3n looks tokens up in every layer; models of images and text keep their settings elsewhere.
    if getattr(base_config, "hidden_size_per_layer_input", None) or not hasattr(base_config, "vocab_size"):
        raise ValueError(f"A model of type '{base_config.model_type}' needs more than embeddings; take another base.")
    left_out = ("model_type", "architectures", "transformers_version")
    given = {name: value for name, value in base_config.to_dict().items() if name not in left_out}
    config = config_class.from_dict({**given, **settings})
    config.name_or_path = base_config.name_or_path
    return config


def load_adapted(
    name_or_path: str,
    make_config: Callable[[Any], Any],
    own_ids: range,
    tokenizer_size: int,
    from_scratch: bool,
    **options: Any,
) -> Any:
    """A system's model with the weights of a base checkpoint, or fresh ones, and a row for each token.

    New rows are drawn at random; rows beyond the tokenizer, of padded vocabularies, are kept.

    Args:
        name_or_path: the base checkpoint; of its config alone, if `from_scratch`.
        make_config: makes the config of the system from that of the base.
        own_ids: ids of the tokens of the system, from which on the base knows none.
        tokenizer_size: `len` of the tokenizer that has them.
        from_scratch: initialise all weights.
        options: of `from_pretrained`, such as `dtype` and `attn_implementation`.

    Raises:
        ValueError: the tokens of the system are not among those of the tokenizer; or what `make_config` raises.
    """
    if own_ids.stop > tokenizer_size:
        raise ValueError(
            f"The system's tokens {own_ids.start} to {own_ids.stop - 1} are beyond the {tokenizer_size} tokens of the "
            "tokenizer; pass `len(tokenizer)` of the one that has them."
        )
    hub_options, of_model = split_options(options)
    config = make_config(AutoConfig.from_pretrained(name_or_path, **hub_options))
    _, model_class = adapted_classes(*split_model_type(config.model_type))
    if from_scratch:
        config.vocab_size = max(config.vocab_size, tokenizer_size)
        return model_class._from_config(config, **of_model)
    model = model_class.from_pretrained(name_or_path, config=config, **options)
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer_size > rows:
        # With their mean as the starting point, new tokens would all be the same token.
        model.resize_token_embeddings(tokenizer_size, mean_resizing=False)
    _draw(model, range(own_ids.start, min(tokenizer_size, rows)))
    return model


def split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the options of `from_pretrained`, those that say where the files are, and those of the model."""
    of_hub = {name: value for name, value in options.items() if name in _HUB_OPTIONS}
    return of_hub, {name: value for name, value in options.items() if name not in of_hub}


@torch.no_grad()
def _draw(model: Any, ids: range) -> None:
    """Draw rows of a padded vocabulary anew, with the spread of the others: often they are all the same."""
    tables = {id(part.weight): part.weight for part in (model.get_input_embeddings(), model.get_output_embeddings())}
    for table in tables.values() if ids else ():
        table[ids.start : ids.stop].normal_(0, float(table[: ids.start].float().std()))
