"""A scalar head on an encoder-decoder or a decoder: a sequence classifier with one output, for squared error."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig

from ..data import TextEncoder, right_padding_collator
from ..data.number_text import answer_number
from ..data.sets import check_has_rows, column_names
from ..data.text_columns import as_texts
from ..decoding.batches import longest_first
from .loading import split_options
from .scaling import LARGEST, NumberScaling, scaling_of


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
    hub_options, of_model = split_options(kwargs)
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
    scaling, collate = scaling_of(model.config), right_padding_collator(tokenizer)
    found = [0.0] * len(prompt_ids)
    was_training = model.training
    model.eval()
    try:
        for chosen in longest_first([len(ids) for ids in prompt_ids], batch_size, "Predicting"):
            batch = collate([{"input_ids": list(prompt_ids[i])} for i in chosen])
            inputs = {name: batch[name].to(model.device) for name in ("input_ids", "attention_mask")}
            values = scaling.unscale(model(**inputs).logits.squeeze(-1)).tolist()
            for i, value in zip(chosen, values, strict=True):
                found[i] = value
    finally:
        model.train(was_training)
    return found


class RegressionEncoder(TextEncoder):
    """Makes `input_ids` of the column `prompt`, and `labels`, one number a row, of `target` or `completion`.

    The prompt is encoded as `TextEncoder.encode_prompts` does it, and cut to `max_length`. An encoder-decoder's ends
    with one end of text, also where it is cut: its head reads there. A completion is read by
    `ntl_hf.data.number_text.answer_number`.

    Raises:
        ValueError: as of `TextEncoder`; see `encode`.
    """

    def encode(self, dataset: Any) -> Any:
        """Tokenize a data set or a stream; the result has the columns `input_ids` and `labels`, the latter floats.

        Raises:
            TypeError: it is no data set.
            ValueError: there are no rows; the columns are not those needed; or a row has no prompt, or no number, or
                one beyond float32.
        """
        names = column_names(dataset)
        check_has_rows(dataset)
        answer = next((name for name in ("target", "completion") if name in names), None)
        if "prompt" not in names or answer is None:
            raise ValueError(
                f"The data set has the columns {names}; a regression head needs 'prompt' and 'target' (a number), or "
                "'prompt' and 'completion' (a text with one number)."
            )
        return as_texts(dataset, ["prompt"]).map(
            self._encode_pairs,
            batched=True,
            with_indices=True,
            input_columns=["prompt", answer],
            remove_columns=names,
        )

    def encode_prompts(self, prompts: list[str]) -> list[list[int]]:
        """Token ids of prompts, cut to `max_length`.

        Raises:
            ValueError: a prompt is empty, or an encoder-decoder's has an end of text within.
        """
        return [self._finished(ids, f"Prompt {i}") for i, ids in enumerate(super().encode_prompts(prompts))]

    def _encode_pairs(self, prompts: list[Any], answers: list[Any], rows: list[int]) -> dict[str, list[Any]]:
        for prompt, row in zip(prompts, rows, strict=True):
            if prompt is None:
                raise ValueError(f"Row {row} has no prompt (null); remove it or fill it in.")
        whole = super().encode_prompts(prompts)
        ids = [self._finished(each, f"The prompt of row {row}") for each, row in zip(whole, rows, strict=True)]
        if any(len(cut) < len(each) for cut, each in zip(ids, whole, strict=True)):
            # Python shows the same warning once.
            warnings.warn(f"Prompts are longer than `max_length` {self.max_length} and are cut, numbers among them.")
        return {
            "input_ids": ids,
            "labels": [_number(answer, row) for answer, row in zip(answers, rows, strict=True)],
        }

    def _finished(self, ids: list[int], name: str) -> list[int]:
        eos = self.tokenizer.eos_token_id
        if self.is_encoder_decoder:
            body = ids[:-1] if ids[-1:] == [eos] else ids
            if eos in body:
                raise ValueError(f"{name} has an end of text ({self.tokenizer.eos_token}) within; take it out.")
            room = None if self.max_length is None else self.max_length - 1
            return [*body[:room], eos]
        if not ids:
            raise ValueError(f"{name} is empty, so there is nothing to predict from; remove it or fill it in.")
        return ids[: self.max_length]


def _number(answer: Any, row: int) -> float:
    value = answer_number(answer) if isinstance(answer, str) else answer
    if value is None and answer is not None:
        raise ValueError(f"Row {row} has no single number in its completion {answer[:80]!r}; remove or correct it.")
    if isinstance(value, (bool, list, dict)):
        raise ValueError(f"Row {row} has the target {value}, which is no number; write it as one, or remove it.")
    if value is None or not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"Row {row} has the target {value}, which is no finite float32; remove it or fill it in.")
    return float(value)
