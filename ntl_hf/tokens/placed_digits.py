"""`NumberTokens`: which ids of a Regression Transformer's vocabulary are digits, and at which decimal place."""

import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor

POINT, SIGN = "_._", "_-_"
_NAME = re.compile(r"_[0-9]_(-?[0-9]+)_")


def number_token_names(low: int, high: int) -> list[str]:
    """The names of all number tokens in the order of their ids: `_d_p_` by place, then digit; point and minus sign."""
    return [*(f"_{digit}_{place}_" for place in range(low, high + 1) for digit in range(10)), POINT, SIGN]


def number_token_ids(tokenizer: Any) -> list[int]:
    """The ids of all number tokens of a tokenizer, point and sign included: the rows that are to be trained.

    Raises:
        ValueError: as `NumberTokens.from_tokenizer`.
    """
    tokens = NumberTokens.from_tokenizer(tokenizer)
    return list(tokenizer.convert_tokens_to_ids(number_token_names(tokens.low, tokens.high)))


@dataclass(frozen=True)
class NumberTokens:
    """The block of digit tokens: id = `first_id` + (place - `low`) * 10 + digit.

    The tokens `_._` and `_-_` follow it, except where the base vocabulary has pieces of these names (GPT-2's and
    Llama 3's have `_-_`), which then serve.

    Attributes:
        first_id: the id of digit 0 at the lowest place.
        low: the lowest decimal place, 0 or negative.
        high: the highest decimal place, 0 or positive.
    """

    first_id: int
    low: int
    high: int

    @classmethod
    def from_tokenizer(cls, tokenizer: Any) -> "NumberTokens":
        """Find the block in a tokenizer that `regression_transformer_tokenizer` has made.

        Raises:
            ValueError: the tokenizer has no such tokens, or not all of them in one block.
        """
        vocab = _vocab(tokenizer)
        places = [int(match[1]) for match in map(_NAME.fullmatch, vocab) if match]
        low, high = min(places, default=0), max(places, default=0)
        first_id = vocab.get(f"_0_{low}_", -1)
        *digits, point, sign = number_token_names(low, high)
        complete = all(vocab.get(name) == first_id + i for i, name in enumerate(digits))
        if first_id < 0 or not complete or not {point, sign} <= vocab.keys():
            raise ValueError(
                "The tokenizer has no block of number tokens `_d_p_`, `_._`, `_-_`; make one of it with "
                "`regression_transformer_tokenizer(tokenizer)`."
            )
        return cls(first_id, low, high)

    @property
    def digit_ids(self) -> range:
        """The ids of all digits; the point and the minus sign are none."""
        return range(self.first_id, self.first_id + 10 * (self.high - self.low + 1))

    def is_number(self, ids: Tensor) -> Tensor:
        """Which ids are digits, bool, of the shape of `ids`; the point and the minus sign are none."""
        return (ids >= self.first_id) & (ids < self.digit_ids.stop)

    def digit(self, ids: Tensor) -> Tensor:
        """The digit of each id, int64, of the shape of `ids`; -1 where it is none. Any id may be asked for."""
        return ((ids - self.first_id) % 10).where(self.is_number(ids), -1)

    def place(self, ids: Tensor) -> Tensor:
        """The decimal place of each id, int64, of the shape of `ids`; 0 where it is no digit."""
        return ((ids - self.first_id).div(10, rounding_mode="floor") + self.low).where(self.is_number(ids), 0)


def has_number_tokens(tokenizer: Any) -> bool:
    """Whether a tokenizer has the number tokens of a Regression Transformer."""
    return "_0_0_" in _vocab(tokenizer)


def _vocab(tokenizer: Any) -> dict[str, int]:
    """From token to id, of a tokenizer or of a processor that has one as `.tokenizer`."""
    vocab: dict[str, int] = getattr(tokenizer, "tokenizer", tokenizer).get_vocab()
    return vocab
