"""`add_digit_tokens`: the explicit step that gives a tokenizer and its model the ten digits."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from .number_vocab import TokenReader

# Spread of the new rows around their mean, relative to that of the existing rows: enough to tell ten digits apart.
_NOISE = 0.1


def add_digit_tokens(tokenizer: Any, model: nn.Module) -> list[int]:
    """Add the single-digit tokens that a tokenizer lacks, and their rows to the model.

    Changes both in place. A new row is the mean of the rows of the pieces that the tokenizer wrote the digit with so
    far; where it could not write it at all, the mean of all rows with a little noise. Input embeddings and output
    head stay tied where they were, and padded vocabularies are not shrunk.

    Args:
        tokenizer: a `PreTrainedTokenizerBase`.
        model: the model, before an adapter is put on it.

    Warns:
        UserWarning: the tokenizer drops spaces around added tokens (T5's does), so that neighbouring numbers run
            together.

    Returns:
        The ids of the new tokens, empty where nothing was missing. Give them to `number_lora_config`: LoRA freezes
        embeddings, and a frozen new row never learns.

    Raises:
        ValueError: `model` already has an adapter, or a digit is one of the tokenizer's special tokens.
    """
    if hasattr(model, "peft_config"):
        raise ValueError("Add digit tokens before the adapter: pass the base model, then build the `PeftModel`.")
    reader = TokenReader(tokenizer)
    present = {d for _, i, d in reader.digit_tokens() if reader.why_left_out(i, d, digits_only=True) is None}
    missing = [digit for digit in "0123456789" if digit not in present]
    if not missing:
        return []
    taken = [digit for digit in missing if digit in reader.tokenizer.get_vocab()]
    if taken:
        raise ValueError(f"The tokenizer uses {taken} as special tokens; they cannot be numbers as well.")
    pieces = [_pieces(reader.tokenizer, digit) for digit in missing]
    old_size = len(reader.tokenizer)
    reader.tokenizer.add_tokens(missing)
    _check_spaces(reader.tokenizer, missing[0])
    new_ids = reader.tokenizer.convert_tokens_to_ids(missing)
    if len(reader.tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(reader.tokenizer), mean_resizing=False)
    for table in _tables(model):
        _fill_rows(table, new_ids, pieces, old_size)
    return new_ids


def _check_spaces(tokenizer: Any, digit: str) -> None:
    joined, apart = digit + digit, f"{digit} {digit}"
    if tokenizer.encode(joined, add_special_tokens=False) == tokenizer.encode(apart, add_special_tokens=False):
        warnings.warn(
            f"The tokenizer drops spaces around added tokens: it now reads '{apart}' as '{joined}'. Put a sign "
            "between numbers that follow each other, or use a tokenizer that has digits."
        )


def _pieces(tokenizer: Any, digit: str) -> list[int]:
    ids = tokenizer.encode(digit, add_special_tokens=False)
    return [] if tokenizer.unk_token_id in ids else ids


def _tables(model: nn.Module) -> list[Tensor]:
    """The distinct tensors with one entry a token: input rows, output rows, output bias."""
    head = model.get_output_embeddings()
    tables = [model.get_input_embeddings().weight, getattr(head, "weight", None), getattr(head, "bias", None)]
    return list({id(table): table for table in tables if table is not None}.values())


@torch.no_grad()
def _fill_rows(table: Tensor, new_ids: list[int], pieces: list[list[int]], old_size: int) -> None:
    existing = table[:old_size].float()
    generator = torch.Generator().manual_seed(0)
    for token_id, piece_ids in zip(new_ids, pieces, strict=True):
        if piece_ids:
            row = existing[piece_ids].mean(0)
        else:
            noise = torch.randn(existing[0].shape, generator=generator).to(existing.device)
            row = existing.mean(0) + _NOISE * existing.std(0) * noise
        table[token_id] = row.to(table.dtype)
