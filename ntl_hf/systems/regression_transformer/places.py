"""Numbers within the places of a Regression Transformer: others are refused; what its tokens are worth with them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from ...data import TextEncoder
from ...tokens.number_vocab import NumberVocab
from ...tokens.placed_digits import NumberTokens

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?|(?<!\.)\.[0-9]+")
# Beyond it, the far places drown all others, and the loss of a model that knows nothing is that many times too large.
_MOST = 1e4


def out_of_range_number(text: str, places: tuple[int, int]) -> str | None:
    """The first number of a text with digits beyond `places`, as written, or None: all digits have their place.

    Leading and trailing zeros count, since they are written too. Commas separate numbers (`1,000` is two).
    """
    low, high = places
    for match in _NUMBER.finditer(text):
        before, _, after = match[0].partition(".")
        if len(before) > high + 1 or len(after) > -low:
            return match[0]
    return None


def check_places(texts: Iterable[str], tokens: NumberTokens) -> None:
    """Raise `ValueError` for the first number that has more digits than there are places.

    It would be written with the tokens of the base model in part, and its digits would have no place.
    """
    for text in texts:
        number = out_of_range_number(text, (tokens.low, tokens.high))
        if number is not None:
            raise ValueError(
                f"The number {number[:60]} has digits beyond the places {tokens.low} to {tokens.high} of the "
                f"Regression Transformer, in {text[:60]!r}. Widen `rt_places`, round the number or remove the row."
            )


@dataclass
class PlacedDigitEncoder(TextEncoder):
    """`TextEncoder` for a tokenizer of `regression_transformer_tokenizer`.

    Raises:
        ValueError: as of `TextEncoder`; while encoding, a number with more digits than there are places.
    """

    _tokens_of_numbers: NumberTokens = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tokens_of_numbers = NumberTokens.from_tokenizer(self.tokenizer)

    def _encode_batch(self, *columns: list[str]) -> dict[str, list[Any]]:
        for column in columns:
            check_places((text for text in column if text is not None), self._tokens_of_numbers)
        return super()._encode_batch(*columns)

    def encode_prompts(self, prompts: list[str]) -> list[list[int]]:
        check_places(prompts, self._tokens_of_numbers)
        return super().encode_prompts(prompts)


def place_value_vocab(tokenizer: Any, squash_factor: float | None = None) -> NumberVocab:
    """The tokens `_d_p_`, each worth d * 10^p; `NumberVocab.from_tokenizer` has them worth d.

    Args:
        tokenizer: from `regression_transformer_tokenizer`.
        squash_factor: of the loss that they are for.

    Raises:
        ValueError: the tokenizer has no such tokens, or the values are above 10,000 and no `squash_factor` brings
            their distances into a range.
    """
    tokens = NumberTokens.from_tokenizer(tokenizer)
    if squash_factor is None and 9 * 10.0**tokens.high > _MOST:
        raise ValueError(
            f"With their places, tokens are worth up to {9 * 10.0**tokens.high:g}, and the number loss is as large. "
            "Set `ntl_squash_factor`, such as 9, narrow `rt_places`, or leave the places out (`rt_place_values: "
            "false`)."
        )
    worth = {
        tokens.first_id + (place - tokens.low) * 10 + digit: digit * 10.0**place
        for place in range(tokens.low, tokens.high + 1)
        for digit in range(10)
    }
    ids = sorted(worth, key=lambda token_id: (worth[token_id], token_id))
    values = torch.tensor([worth[token_id] for token_id in ids], dtype=torch.float32)
    return NumberVocab(torch.tensor(ids), values, tuple(tokenizer.convert_ids_to_tokens(ids)))
