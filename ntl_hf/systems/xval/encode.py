"""Text to rows for xVal: token ids, labels, and the number behind each `[NUM]` of both."""

from collections.abc import Sequence
from typing import Any

from ...data import TextEncoder
from .values import num_token_id, number_values


class XValEncoder(TextEncoder):
    """`TextEncoder` for a tokenizer of `xval_tokenizer`: rows have `number_values` and `number_labels` as well.

    `number_values`: the number behind each token of `input_ids`, 1.0 where it is not `[NUM]`. `number_labels`: the
    number behind each label, 0.0 where it is not `[NUM]`. What `max_length` cuts off has none.

    Raises:
        ValueError: as of `TextEncoder`; while encoding, a number beyond float32, or a text with a literal `[NUM]`.
    """

    def encode_prompts_with_values(self, prompts: list[str]) -> list[dict[str, list[Any]]]:
        """Of prompts to be answered, `input_ids` as `encode_prompts` makes them, and `number_values`."""
        num_id = num_token_id(self.tokenizer)
        rows = zip(self.encode_prompts(prompts), self._numbers(prompts), strict=True)
        return [{"input_ids": ids, "number_values": _placed(ids, num_id, values, 1.0)} for ids, values in rows]

    def _encode_batch(self, *columns: list[str]) -> dict[str, list[Any]]:
        rows = super()._encode_batch(*columns)
        num_id = num_token_id(self.tokenizer)
        # Plain text is a completion of nothing.
        completions = self._numbers(columns[-1])
        prompts = self._numbers(columns[0]) if len(columns) == 2 else [[]] * len(completions)
        pairs = list(zip(prompts, completions, strict=True))
        read = prompts if self.is_encoder_decoder else [before + after for before, after in pairs]
        rows["number_values"] = [
            _placed(ids, num_id, values, 1.0) for ids, values in zip(rows["input_ids"], read, strict=True)
        ]
        rows["number_labels"] = [
            _placed(ids, num_id, values, 0.0) for ids, values in zip(rows["labels"], completions, strict=True)
        ]
        return rows

    def _numbers(self, texts: list[str]) -> list[list[float]]:
        return [values for _, values in number_values(self.tokenizer, texts)]


def _placed(ids: Sequence[int], num_id: int, values: list[float], other: float) -> list[float]:
    """The values in order at the `[NUM]` of `ids`, and `other` elsewhere."""
    rest = iter(values)
    return [next(rest) if token_id == num_id else other for token_id in ids]
