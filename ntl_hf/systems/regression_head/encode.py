"""Text to rows for a regression head: a prompt and its number."""

import math
import warnings
from typing import Any

import torch

from ...data import TextEncoder
from ...data.number_text import answer_number
from ...data.sets import check_has_rows, column_names
from ...data.text_columns import as_texts

_LARGEST = torch.finfo(torch.float32).max


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
    if value is None or not math.isfinite(value) or abs(value) > _LARGEST:
        raise ValueError(f"Row {row} has the target {value}, which is no finite float32; remove it or fill it in.")
    return float(value)
