"""The numbers of a text, read where xVal's tokenizer put its tokens."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch

NUM_TOKEN = "[NUM]"
_LARGEST = torch.finfo(torch.float32).max
# Which characters are a number has been decided by the tokenizer; this only finds where the last one begins.
_AT_END = re.compile(r"[-\u2212]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")


def number_values(tokenizer: Any, texts: Sequence[str]) -> list[tuple[list[int], list[float]]]:
    """Token ids of texts, without special tokens around them, and the number behind each `[NUM]`, in order.

    Args:
        tokenizer: from `xval_tokenizer`.
        texts: the texts.

    Raises:
        ValueError: a number is beyond float32, or a text contains `[NUM]` itself, whose value nobody knows.
    """
    if not texts:
        return []
    num_id = num_token_id(tokenizer)
    encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    rows = zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return [(ids, list(_values(text, ids, offsets, num_id))) for text, ids, offsets in rows]


def num_token_id(tokenizer: Any) -> int:
    """The id of `[NUM]`.

    Raises:
        ValueError: there is none.
    """
    num_id = tokenizer.convert_tokens_to_ids(NUM_TOKEN)
    # Of an unknown token, it is that of `unk_token`. The whole vocabulary takes long to read.
    if num_id is None or tokenizer.convert_ids_to_tokens(num_id) != NUM_TOKEN:
        raise ValueError(f"The tokenizer has no token {NUM_TOKEN}; make one with `xval_tokenizer(tokenizer)`.")
    return int(num_id)


def _values(text: str, ids: list[int], offsets: Iterable[tuple[int, int]], num_id: int) -> Iterable[float]:
    previous = 0
    for token_id, (_, end) in zip(ids, offsets, strict=True):
        if token_id == num_id:
            # A replaced span is reported by its last character; it begins after the token before it.
            yield _read(text[previous:end], text)
        previous = max(previous, end)


def _read(span: str, text: str) -> float:
    match = _AT_END.search(span)
    if match is None:
        raise ValueError(f"{text[:80]!r} contains {NUM_TOKEN}, whose value is unknown; take it out of the text.")
    value = float(match[0].replace("\u2212", "-"))
    if abs(value) > _LARGEST:
        raise ValueError(f"A number in {text[:80]!r} is beyond float32 ({_LARGEST:.2g}); round it or remove the row.")
    return value
