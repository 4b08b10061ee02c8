"""A scalar head on any model: the sequence classifiers of transformers with one output, for squared error."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig

from ...data import right_padding_collator
from ..from_base import HUB_OPTIONS
from ..scaling import NumberScaling


def load_regression_head(
    name_or_path: str, tokenizer: Any, scaling: NumberScaling, from_scratch: bool = False, **kwargs: Any
) -> Any:
    """A sequence classifier of transformers with one output, new or trained before.

    It predicts the scaled number; `predict` undoes the scaling, which is in `config.number_scaling`. Encoder-decoders
    read the prompt in both halves and predict from its end of text, decoders from its last token.

    Args:
        name_or_path: of a base model, or of one saved with such a head.
        tokenizer: of the model; decoders need its padding token to find the last token of a row.
        scaling: of the targets.
        from_scratch: random weights, of the base model's shape.
        kwargs: of `from_pretrained`; from scratch, of `from_config`, such as `dtype`.

    Raises:
        ValueError: the tokenizer has neither a padding nor an end-of-text token, or is larger than the model's
            vocabulary; or the saved head was trained with another scaling.
    """
    pad_id = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    if pad_id is None:
        raise ValueError("The tokenizer has neither `pad_token` nor `eos_token`; a regression head needs padding.")
    hub_options = {name: kwargs[name] for name in HUB_OPTIONS if name in kwargs}
    config = AutoConfig.from_pretrained(name_or_path, num_labels=1, problem_type="regression", **hub_options)
    config.pad_token_id = config.get_text_config().pad_token_id = pad_id
    saved = getattr(config, "number_scaling", None)
    if not from_scratch and saved not in (None, scaling.to_dict()):
        raise ValueError(f"{name_or_path} was trained with the scaling {saved}, not {scaling}; load it with its own.")
    config.number_scaling = scaling.to_dict()
    if len(tokenizer) > config.get_text_config().vocab_size:
        raise ValueError(
            f"The tokenizer has {len(tokenizer)} tokens and the model {config.get_text_config().vocab_size}; take the "
            "model's own tokenizer."
        )
    if from_scratch:
        of_model = {name: value for name, value in kwargs.items() if name not in hub_options}
        return AutoModelForSequenceClassification.from_config(config, **of_model)
    return AutoModelForSequenceClassification.from_pretrained(name_or_path, config=config, **kwargs)


def is_regression_head(config: PreTrainedConfig) -> bool:
    """Whether a config is of a model of `load_regression_head`."""
    is_scalar = getattr(config, "problem_type", None) == "regression" and config.num_labels == 1
    return is_scalar and getattr(config, "number_scaling", None) is not None


def head_name(model: Any) -> str:
    """What the head is called in the model, such as "score": beside an adapter, it has to be trained whole."""
    body = model.base_model_prefix
    names = [name for name, child in model.named_children() if name != body and list(child.parameters())]
    if len(names) != 1:
        raise ValueError(f"Which part of {type(model).__name__} is its head is unclear among {names}.")
    return names[0]


@torch.no_grad()
def predict(model: Any, tokenizer: Any, prompt_ids: Sequence[Sequence[int]], batch_size: int = 32) -> list[float]:
    """The numbers that a model predicts for prompts, in the units of the text.

    Args:
        model: from `load_regression_head`, on any device; its mode is left as it was.
        tokenizer: of the model, with a padding token.
        prompt_ids: from `RegressionEncoder.encode_prompts`.
        batch_size: prompts at a time; those of like length go together.
    """
    scaling, collate = NumberScaling.from_dict(model.config.number_scaling), right_padding_collator(tokenizer)
    order = sorted(range(len(prompt_ids)), key=lambda i: -len(prompt_ids[i]))
    found = [0.0] * len(prompt_ids)
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = collate([{"input_ids": list(prompt_ids[i])} for i in chosen])
            inputs = {name: batch[name].to(model.device) for name in ("input_ids", "attention_mask")}
            values = scaling.unscale(model(**inputs).logits.squeeze(-1)).tolist()
            for i, value in zip(chosen, values, strict=True):
                found[i] = value
    finally:
        model.train(was_training)
    return found
