"""A model learns where to stop from labels that are the end of text; rows without one are told of."""

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ..tokens.targets import IGNORE_INDEX

# Shorter rows that are all of one length are texts.
_SHORTEST_BLOCK = 32


def warn_without_end(labels: Iterable[Tensor], tokenizer: Any, model: Any) -> None:
    """Warn if no label of some rows ends a text, so that answers will run on after training.

    Nothing is said of tokenizers without an end of text, of models that do not generate, and of blocks: rows that are
    filled with labels from the first token to the last are cut from longer texts, and few of these end in them.

    Args:
        labels: of the first rows as they are trained, shifted where the model does that, `[B, T]`; -100 where there is
            none.
        tokenizer: the tokenizer, or a processor that has one as `.tokenizer`.
        model: its `generation_config` may name further tokens that end an answer.
    """
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
    eos = getattr(tokenizer, "eos_token_id", None)
    if eos is None or not _generates(model):
        return
    ends, rows = torch.tensor(sorted({eos, *_ends_of_generation(model)})), 0
    for batch in labels:
        if bool(torch.isin(batch, ends.to(batch.device)).any()) or _are_blocks(batch):
            return
        rows += len(batch)
    if rows:
        warnings.warn(_message(tokenizer, rows))


def _are_blocks(labels: Tensor) -> bool:
    # The last place of shifted labels has none.
    inner = labels[:, :-1]
    return labels.shape[1] >= _SHORTEST_BLOCK and bool((inner != IGNORE_INDEX).all())


def _message(tokenizer: Any, rows: int) -> str:
    remedy = (
        "Append `tokenizer.eos_token` to each text; if it is there, raise `max_length` where rows are cut, and where "
        "a chat template ends turns with another token, make that the `eos_token`."
    )
    if tokenizer.pad_token_id == tokenizer.eos_token_id:
        # The usual way to lose it: the collator takes its label for padding.
        remedy += (
            " It is the padding token too, which `DataCollatorForLanguageModeling` leaves without a label: put "
            "`labels` into the rows, and take `DataCollatorForSeq2Seq(tokenizer)`."
        )
    return (
        f"No label of the first {rows} rows is the end of text ({tokenizer.eos_token}), so the model does not learn "
        f"where to stop, and its answers will run on. {remedy}"
    )


def _generates(model: Any) -> bool:
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return not hasattr(base, "can_generate") or base.can_generate()


def _ends_of_generation(model: Any) -> list[int]:
    ends = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
