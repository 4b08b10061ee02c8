"""Batches of rows that hold numbers beside tokens."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..data import right_padding_collator

# A token that is no number is multiplied by 1, and has no number to predict.
_PADDING = {"number_values": 1.0, "number_labels": 0.0}


class NumberCollator:
    """Pads rows of `XValEncoder` and of `RegressionEncoder` on the right, whatever side the tokenizer pads on.

    Token columns are padded as by `right_padding_collator`. `number_values` and `number_labels` have the lengths of
    `input_ids` and `labels`, and are padded with 1.0 and 0.0; `labels` that are one number a row become `[B]`. Numbers
    are float32.

    Args:
        tokenizer: with a padding token.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._collate = right_padding_collator(tokenizer)

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        targets = [row["labels"] for row in rows if np.ndim(row.get("labels", ())) == 0]
        names = {*_PADDING, "labels"} if targets else {*_PADDING}
        tokens = [{name: value for name, value in row.items() if name not in names} for row in rows]
        batch = {name: value for name, value in self._collate(tokens).items() if value is not None}
        for name in _PADDING.keys() & rows[0].keys():
            batch[name] = _padded([row[name] for row in rows], _PADDING[name])
        if targets:
            batch["labels"] = torch.tensor(targets, dtype=torch.float32)
        return batch


def _padded(rows: list[list[float]], padding: float) -> Tensor:
    return pad_sequence([torch.as_tensor(row, dtype=torch.float32) for row in rows], True, padding)
