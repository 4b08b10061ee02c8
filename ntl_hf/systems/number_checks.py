"""What is refused in the data of a number head before training starts."""

from collections.abc import Iterator
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor

from ..tokens.targets import IGNORE_INDEX
from ..trainers.checks import check_labels, collated

# Rows read at a time.
_ROWS = 1000


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
    is_stored = isinstance(dataset, Dataset) and dataset.format["type"] != "custom"
    found, empty = False, True
    for batch in _stored(dataset) if is_stored else collated(dataset, collate):
        check_numbers(batch, vocab_size)
        found, empty = found or bool((batch["labels"] != IGNORE_INDEX).any()) or vocab_size is None, False
    if not found and not empty:
        raise ValueError("No token of the training set has a label (all are -100), so there is nothing to learn.")


def _stored(dataset: Dataset) -> Iterator[dict[str, Tensor]]:
    # A chunk at a time: a column of a large set does not fit into memory.
    names = [name for name in ("labels", "number_labels", "number_values") if name in dataset.column_names]
    if not names:
        yield {}
        return
    for chunk in dataset.select_columns(names).with_format("arrow").iter(batch_size=_ROWS):
        yield {name: _tensor(chunk[name].combine_chunks()) for name in names}


def _tensor(column: Any) -> Tensor:
    is_list = hasattr(column, "flatten")
    flat = column.flatten() if is_list else column
    values = torch.from_numpy(flat.to_numpy(zero_copy_only=False).copy())
    # Lists keep a second dimension, so that a number a row can be told from them.
    return values.unsqueeze(0) if is_list else values
