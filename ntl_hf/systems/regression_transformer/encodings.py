"""What a Regression Transformer adds to the embeddings of digits: their value, as digit and place have it."""

from math import log
from typing import Any

import torch
from torch import Tensor

from ...settings.checks import is_number
from ...tokens.placed_digits import NumberTokens

ENCODINGS = ("float", "log", "none")
# Values up to the largest are encoded within [-10, 10].
_LIMIT = 10.0
# 9 * 10^37 is a float32, 9 * 10^38 is not.
_MOST_PLACES = 37


def read_number_tokens(settings: Any) -> NumberTokens:
    """The digit tokens that a model's config describes by `first_id`, `low` and `high`.

    Args:
        settings: a mapping with the three, or `NumberTokens`.

    Raises:
        ValueError: one of them is missing, or they do not describe a block of ids.
    """
    given = settings if isinstance(settings, dict) else getattr(settings, "__dict__", {})
    names = ("first_id", "low", "high")
    if not all(type(given.get(name)) is int for name in names):
        raise ValueError(f"`number_tokens` must have the whole numbers {', '.join(names)}, not {settings!r}.")
    tokens = NumberTokens(*(given[name] for name in names))
    if tokens.first_id < 0 or not -_MOST_PLACES <= tokens.low <= 0 <= tokens.high <= _MOST_PLACES:
        raise ValueError(
            f"`number_tokens` are {vars(tokens)}: the places must have `low` <= 0 <= `high`, within {_MOST_PLACES} of "
            "0, and the first id must not be negative."
        )
    return tokens


def digit_values(tokens: NumberTokens, ids: Tensor) -> Tensor:
    """digit * 10^place of each token, of the shape of `ids`, float32; 0 for tokens that are no digits."""
    return tokens.digit(ids).clamp(min=0).float() * torch.pow(10.0, tokens.place(ids).float())


def check_encoding(encoding: str, largest: float, width: int) -> None:
    """Raise `ValueError` for an unknown encoding, a `largest` that is not positive, or embeddings of odd width."""
    if encoding not in ENCODINGS:
        raise ValueError(f"There is no number encoding '{encoding}'; there are {', '.join(ENCODINGS)}.")
    if not is_number(largest) or largest <= 0:
        raise ValueError(f"`number_encoding_largest` is {largest!r}; it must be a positive number.")
    if encoding == "log" and largest <= 1:
        raise ValueError(f"`number_encoding_largest` is {largest}; for the encoding 'log' it must be above 1.")
    if encoding != "none" and width % 2:
        raise ValueError(f"Number encodings need embeddings of even width, not {width}: take another model or 'none'.")


def float_encoding(values: Tensor, width: int, largest: float, is_log: bool = False) -> Tensor:
    """Encode values in vectors: dimension j, counted from 0, holds +-v / (2 * (j // 2) + 1) * 10 / largest.

    The sign is plus for even j. This is the float encoding of Born and Manica 2023 (Nature Machine Intelligence,
    doi 10.1038/s42256-023-00639-z) as in the authors' code, github.com/IBM/regression-transformer. A digit 0 is
    encoded as zeros at any place. With `is_log`, x = +-v / (2 * (j // 2) + 1) becomes
    sign(x) * log10(|x| + 1) * 10 / log10(largest), as in the code of the Number Token Loss,
    github.com/tum-ai/number-token-loss: without it, all but the largest places vanish beside the embeddings.

    Args:
        values: v, `[...]`.
        width: number of dimensions, even.
        largest: the value that is encoded as 10 in dimension 0; with `is_log`, above 1.
        is_log: compress the values.

    Returns:
        `[..., width]`, float32.

    Raises:
        ValueError: an odd width, or a `largest` that is too small.
    """
    check_encoding("log" if is_log else "float", largest, width)
    dimensions = torch.arange(width, device=values.device)
    signs = 1.0 - 2.0 * (dimensions % 2)
    encoded = values.float().unsqueeze(-1) * (signs / (dimensions - dimensions % 2 + 1))
    if is_log:
        return encoded.sign() * encoded.abs().log1p() * (_LIMIT / log(largest))
    return encoded * (_LIMIT / largest)
