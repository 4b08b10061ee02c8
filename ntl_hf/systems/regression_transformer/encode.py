"""Text to rows for a Regression Transformer: as for any model, but no number beyond its places."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...data import TextEncoder
from ...tokens.placed_digits import NumberTokens
from .tokenizer import out_of_range_number


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
