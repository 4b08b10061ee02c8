"""xVal's tokens back to text: each `[NUM]` as the number that it stands for."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .values import NUM_TOKEN, num_token_id


def write_numbers(tokenizer: Any, ids: Sequence[int], values: Sequence[float]) -> str:
    """Token ids and numbers to text, special tokens left out.

    A number is written as the shortest decimal that is the same float32: 12.3, integers without a point, never an
    exponent. So a text comes back equal but for how its numbers were written: 007 as 7, 1.50 as 1.5, -0 as 0, 1e3 as
    1000, and with the precision of float32 (about seven digits: 123456789 as 123456790). Two numbers in a row, as a
    model may write but no text has them, get a space between them.

    Args:
        tokenizer: from `xval_tokenizer`.
        ids: token ids.
        values: the number of each `[NUM]` among them, in order.

    Raises:
        ValueError: as many values as `[NUM]` are needed, and they must be finite.
    """
    num_id = num_token_id(tokenizer)
    places = [i for i, token_id in enumerate(ids) if token_id == num_id]
    if len(places) != len(values):
        raise ValueError(f"There are {len(places)} tokens {NUM_TOKEN} and {len(values)} values; each needs its own.")
    text = _decode(tokenizer, ids)
    parts = text.split(NUM_TOKEN)
    if len(parts) != len(places) + 1:
        parts = _parts_between(tokenizer, ids, places, text)
    written = parts[0]
    for i, (value, part) in enumerate(zip(values, parts[1:], strict=True)):
        follows_number = i > 0 and not parts[i]
        written += f"{' ' if follows_number else ''}{write_number(value)}{part}"
    return written


def write_number(value: float) -> str:
    """The shortest decimal that is the same float32, without an exponent.

    Raises:
        ValueError: the value is not finite as float32.
    """
    if not math.isfinite(value) or not np.isfinite(single := np.float32(value)):
        raise ValueError(f"The value {value} of a {NUM_TOKEN} is not a finite float32, and cannot be written.")
    return np.format_float_positional(single, trim="-") if single else "0"


def _decode(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _parts_between(tokenizer: Any, ids: Sequence[int], places: list[int], text: str) -> list[str]:
    """The text around each `[NUM]`, where other tokens spell `[NUM]` as well."""
    pieces = text.split(NUM_TOKEN)
    # Up to and with the k-th number there are as many as its place in the whole text.
    ends = [_decode(tokenizer, ids[: place + 1]).count(NUM_TOKEN) for place in places]
    bounds = zip([0, *ends], [*ends, len(pieces)], strict=True)
    return [NUM_TOKEN.join(pieces[start:end]) for start, end in bounds]
