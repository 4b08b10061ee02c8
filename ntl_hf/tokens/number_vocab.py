"""`NumberVocab`: which token ids are numbers, and what each is worth."""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

# Marks of a leading space: byte-level BPE, SentencePiece, and tokenizers that keep the space itself.
_SPACE_MARKS = ("Ġ", "▁", " ")
# The largest float32 is 3.4e38.
_MOST_DIGITS = 38
# The Regression Transformer's token of a digit and its place, see `systems.regression_transformer`.
_PLACED_DIGIT = re.compile(r"_([0-9])(_-?[0-9]+_)")


class NoNumberTokensError(ValueError):
    """The tokenizer has no token that counts as a number."""


@dataclass(frozen=True, eq=False)
class NumberVocab:
    """The number tokens of a tokenizer.

    Attributes:
        ids: token id of each number token, `[D]`, int64, ordered by value, then id.
        values: the value of each, `[D]`, float32. Tokens that write the same number (`5`, `Ġ5`) share a value.
        tokens: the token strings, in the same order.
    """

    ids: Tensor
    values: Tensor
    tokens: tuple[str, ...]
    _copies: dict[tuple[str, torch.device], Tensor] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, digits_only: bool = True) -> "NumberVocab":
        """Find the number tokens of any Hugging Face tokenizer, without changing it.

        A number token is one or more ASCII digits, after at most one mark of a leading space (`Ġ5` and `▁5` are 5;
        WordPiece's `##5` too), or a digit with its place, `_5_1_`, whose value is the digit. Signs, points, exponents,
        the digits of other scripts, superscripts and special tokens are not numbers. Leading zeros count (`007` is
        7), because a tokenizer that cuts numbers into pieces of up to three digits writes 1007 as `100`, `7` and
        2000007 as `200`, `000`, `7`.

        Args:
            tokenizer: a `PreTrainedTokenizerBase`, or a processor that has one as `.tokenizer`.
            digits_only: single digits alone; False adds the tokens of several digits.

        Raises:
            NoNumberTokensError: there is no such token; the message says what to do.
        """
        reader = TokenReader(tokenizer)
        entries = reader.number_tokens(digits_only)
        if not entries:
            raise NoNumberTokensError(_nothing_found(reader, digits_only))
        return cls._from_entries(entries)

    @classmethod
    def _from_entries(cls, entries: list[tuple[float, int, str]]) -> "NumberVocab":
        values, ids, tokens = zip(*entries, strict=True)
        missing = sorted(set(range(10)) - {int(v) for v in values if v < 10})
        if missing:
            warnings.warn(f"The tokenizer has no token for the digits {missing}; they will not count as numbers.")
        return cls(ids=torch.tensor(ids), values=torch.tensor(values, dtype=torch.float32), tokens=tokens)

    def columns(self, labels: Tensor) -> Tensor:
        """Map token ids to positions in `ids`: int64, of the shape of `labels`; -1 where the id is not a number.

        Any id may be asked for, -100 and ids beyond the tokenizer included. Runs on the device of `labels` without
        a synchronisation.
        """
        table = self._cached(labels.device, "table", self._table)
        # Entry 0 stands for every negative id, the last one for every id above the largest number token.
        return table[labels.clamp(-1, table.numel() - 2) + 1]

    def ids_on(self, device: torch.device) -> Tensor:
        """`ids` on a device, copied there once."""
        return self._cached(device, "ids", lambda: self.ids)

    @cached_property
    def forms(self) -> Tensor:
        """How each token is written but for its digits, `[D]`, int64: the same for `Ġ12` and `Ġ90`, not for `12`."""
        patterns = [_form_of(token) for token in self.tokens]
        index = {pattern: i for i, pattern in enumerate(dict.fromkeys(patterns))}
        return torch.tensor([index[pattern] for pattern in patterns])

    @cached_property
    def _largest_id(self) -> int:
        return int(self.ids.max())

    def _table(self) -> Tensor:
        table = torch.full((self._largest_id + 3,), -1)
        table[self.ids + 1] = torch.arange(len(self))
        return table

    def _cached(self, device: torch.device, name: str, make: Callable[[], Tensor]) -> Tensor:
        if (name, device) not in self._copies:
            self._copies[name, device] = make().to(device)
        return self._copies[name, device]

    def fits(self, vocab_size: int) -> bool:
        """Whether all number tokens have a row among `vocab_size` logits."""
        return self._largest_id < vocab_size

    def check_fits(self, vocab_size: int) -> None:
        """Raise `ValueError` if a number token has no row among `vocab_size` logits. Wider logits are fine."""
        if not self.fits(vocab_size):
            outside = [token for token, i in zip(self.tokens, self.ids.tolist(), strict=True) if i >= vocab_size]
            raise ValueError(
                f"The model has {vocab_size} logits, too few for the tokenizer's number tokens {outside[:10]}. "
                "Is this the model's own tokenizer? If tokens were added, resize the model: "
                "`model.resize_token_embeddings(len(tokenizer))`, or use `ntl_hf.add_digit_tokens`."
            )


class TokenReader:
    """Reads the token strings of one tokenizer: which are made of digits, and why one does not count.

    Args:
        tokenizer: a `PreTrainedTokenizerBase`, or a processor that has one as `.tokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        self.special_ids = set(self.tokenizer.all_special_ids) | {i for i, token in added.items() if token.special}
        model = getattr(getattr(self.tokenizer, "backend_tokenizer", None), "model", None)
        is_word_piece = type(model).__name__ == "WordPiece"
        self.prefix = (getattr(model, "continuing_subword_prefix", None) or "") if is_word_piece else ""
        self.suffix = getattr(model, "end_of_word_suffix", None) or ""

    def number_tokens(self, digits_only: bool) -> list[tuple[float, int, str]]:
        """Value, id and token of each number token, ordered by value, then id."""
        return sorted(
            (float(digits), token_id, token)
            for token, token_id, digits in self.digit_tokens()
            if self.why_left_out(token_id, digits, digits_only) is None
        )

    def digit_tokens(self) -> Iterator[tuple[str, int, str]]:
        """Yield token, id and digits of each token that consists of ASCII digits, apart from its affixes."""
        for token, token_id in self.tokenizer.get_vocab().items():
            digits = self.digits_of(token)
            if digits is not None:
                yield token, token_id, digits

    def digits_of(self, token: str) -> str | None:
        """The ASCII digits that a token consists of, apart from its affixes; None if there is anything else."""
        placed = _PLACED_DIGIT.fullmatch(token)
        if placed:
            return placed[1]
        if token[:1] in _SPACE_MARKS:
            token = token[1:]
        elif self.prefix:
            token = token.removeprefix(self.prefix)
        if self.suffix:
            token = token.removesuffix(self.suffix)
        # `isdigit` alone would let other scripts and superscripts through.
        return token if token.isascii() and token.isdigit() else None

    def why_left_out(self, token_id: int, digits: str, digits_only: bool) -> str | None:
        """Why a token made of digits is not a number token; None if it is one."""
        if token_id in self.special_ids:
            return "special token"
        if digits_only and len(digits) > 1:
            return "several digits"
        if len(digits) > _MOST_DIGITS:
            return "beyond float32"
        # The tokenizer has the last word: in a SentencePiece vocabulary `Ġ5` is a word, not a 5 after a space.
        text = self.tokenizer.decode([token_id], clean_up_tokenization_spaces=False).strip()
        if text not in (digits, self.prefix + digits):
            return "decodes to something else"
        return None


def _form_of(token: str) -> str:
    placed = _PLACED_DIGIT.fullmatch(token)
    return placed[2] if placed else re.sub("[0-9]", "0", token)


def _nothing_found(reader: TokenReader, digits_only: bool) -> str:
    name = getattr(reader.tokenizer, "name_or_path", "") or type(reader.tokenizer).__name__
    several = [token for _, _, token in reader.number_tokens(digits_only=False)] if digits_only else []
    if several:
        return (
            f"The tokenizer '{name}' has no single-digit tokens, but {len(several)} tokens of several digits "
            f"({', '.join(several[:5])}, ...). Set `digits_only=False` (`ntl_digits_only: false`) to use these."
        )
    return (
        f"The tokenizer '{name}' has no number tokens, so there is nothing for a number loss to act on. Add the ten "
        "digits before training with `ntl_hf.add_digit_tokens(tokenizer, model)`, which also resizes the model and "
        "initialises the new rows (`add_digit_tokens: true` in a recipe)."
    )
