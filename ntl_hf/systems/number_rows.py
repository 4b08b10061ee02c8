"""Rows that hold numbers beside tokens: how they are padded, and what is refused in them before training starts."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..data import right_padding_collator
from ..tokens.targets import IGNORE_INDEX
from ..trainers.checks import check_labels, collated, stored_columns

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


def check_numbers(batch: dict[str, Tensor], vocab_size: int | None) -> None:
    """Raise `ValueError` if one of the columns of a batch holds what cannot be trained on. Reads values back.

    Args:
        batch: `labels`, and for xVal `number_labels` and `number_values`, of any shape; a regression head's `[B]`.
        vocab_size: of xVal's model; None for a regression head, whose labels are numbers.
    """
    names = ("labels",) if vocab_size is None else ("labels", "number_labels", "number_values")
    for name in names:
        if batch.get(name) is None:
            raise ValueError(
                f"The rows have no `{name}`. Encode the data with the encoder of this system (`RegressionEncoder`, "
                "`XValEncoder`) and collate it with `NumberCollator`."
            )
    if vocab_size is not None:
        check_labels(batch["labels"], vocab_size)
    elif batch["labels"].ndim != 1:
        raise ValueError("The `labels` of a regression head are one number a row; encode with `RegressionEncoder`.")
    for name in names if vocab_size is None else names[1:]:
        wrong = ~batch[name].isfinite()
        if bool(wrong.any()):
            raise ValueError(f"The column `{name}` has {float(batch[name][wrong][0])}; remove or correct such rows.")


def check_number_dataset(dataset: Any, collate: Any, vocab_size: int | None) -> None:
    """Check the numbers and labels of a training set; a stream is left to its first batch.

    A `datasets.Dataset` is read whole, of another set with a length up to 1,000 rows are collated.

    Args:
        dataset: the rows as the collator takes them.
        collate: the data collator.
        vocab_size: as of `check_numbers`.

    Raises:
        ValueError: see `check_numbers`; or no row has a label.
    """
    found, empty = False, True
    is_stored = isinstance(dataset, Dataset) and dataset.format["type"] != "custom"
    for batch in _stored(dataset) if is_stored else collated(dataset, collate):
        check_numbers(batch, vocab_size)
        found, empty = found or bool((batch["labels"] != IGNORE_INDEX).any()) or vocab_size is None, False
    if not found and not empty:
        raise ValueError("No token of the training set has a label (all are -100), so there is nothing to learn.")


def _stored(dataset: Dataset) -> Iterable[dict[str, Tensor]]:
    names = [name for name in ("labels", *_PADDING) if name in dataset.column_names]
    return stored_columns(dataset, names) if names else [{}]
