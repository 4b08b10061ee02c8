"""`NumberSyntax`: the tokens of one tokenizer that numbers are written with."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..number_vocab import NumberVocab, TokenReader
from .kinds import PLACED_DIGIT, PLACED_SIGNS, Kind, begins_word, kind_of
from .layout import NumberLayout
from .scan import TokenRow, scan

_MARKS = (Kind.POINT, Kind.COMMA, Kind.MINUS)


@dataclass(frozen=True, eq=False)
class NumberSyntax:
    """Number tokens, and the points, commas and minus signs that stand in numbers.

    Attributes:
        vocab: the D number tokens.
        widths: digits of each, `[D]`, int64.
        mark_ids: token ids of points, commas and minus signs, `[F]`, int64.
        mark_kinds: which each of them is (`Kind`), `[F]`, int64.
    """

    vocab: NumberVocab
    widths: Tensor
    mark_ids: Tensor
    mark_kinds: Tensor
    _kinds: Tensor  # by token id + 1, and one entry for all ids beyond
    _begins: Tensor
    _opens: Tensor  # digits that a WordPiece tokenizer begins a word with
    _copies: dict[tuple[str, torch.device], Tensor] = field(default_factory=dict, repr=False)

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, vocab: NumberVocab) -> "NumberSyntax":
        """Read all tokens of a tokenizer.

        Args:
            tokenizer: a `PreTrainedTokenizerBase`, or a processor that has one as `.tokenizer`.
            vocab: its number tokens.

        Raises:
            ValueError: `vocab` lacks one of the ten digits as a token of its own, so that not every number can be
                written with its tokens.
        """
        reader = TokenReader(tokenizer)
        _check_digits(vocab)
        tokens = reader.tokenizer.get_vocab()
        size = max(tokens.values()) + 3
        kinds, begins, opens = (torch.zeros(size, dtype=dtype) for dtype in (torch.int64, torch.bool, torch.bool))
        for token, token_id in tokens.items():
            kinds[token_id + 1] = Kind.OTHER if token_id in reader.special_ids else kind_of(token)
            begins[token_id + 1] = begins_word(token)
            opens[token_id + 1] = bool(reader.prefix) and not token.startswith(reader.prefix)
        for token, kind in PLACED_SIGNS.items() if PLACED_DIGIT in tokens else ():
            kinds[tokens[token] + 1] = kind
        kinds[vocab.ids + 1] = Kind.DIGITS
        kinds[0] = Kind.NONE
        mark_ids = torch.isin(kinds, torch.tensor(_MARKS)).nonzero().squeeze(1)
        widths = torch.tensor([len(reader.digits_of(token) or "") for token in vocab.tokens])
        return cls(vocab, widths, mark_ids - 1, kinds[mark_ids], kinds, begins, opens)

    def watched_ids(self, device: torch.device) -> Tensor:
        """Token ids of the number tokens and the marks, `[D + F]`, on a device, copied there once."""
        return self._on(device, "watched", torch.cat([self.vocab.ids, self.mark_ids]))

    def layout(self, labels: Tensor) -> NumberLayout:
        """Where the numbers of some labels stand; runs on their device, without a synchronisation.

        A number begins and ends within a row, and where there is no label: in a packed row, at the borders of its
        documents.

        Args:
            labels: `[B, T]`, int64, in the order of the text; -100 where there is none.
        """
        device = labels.device
        kinds, begins = self._on(device, "kinds", self._kinds), self._on(device, "begins", self._begins)
        widths, values = self._on(device, "widths", self.widths), self._on(device, "values", self.vocab.values)
        entry = (labels.clamp(-1, len(kinds) - 2) + 1).reshape(-1)
        column = self.vocab.columns(labels).reshape(-1)
        kind = kinds[entry]
        is_digits = kind == Kind.DIGITS.value  # see scan.py
        row = TokenRow(
            kind=kind,
            begins=begins[entry],
            width=widths[column.clamp_min(0)] * is_digits,
            value=values[column.clamp_min(0)] * is_digits,
            length=labels.shape[-1],
        )
        # WordPiece marks what goes on with a word instead: digits after digits are then two numbers.
        opens = self._on(device, "opens", self._opens)[entry] & is_digits & row.before(is_digits)
        return scan(replace(row, begins=row.begins | opens))

    def _on(self, device: torch.device, name: str, tensor: Tensor) -> Tensor:
        if (name, device) not in self._copies:
            self._copies[name, device] = tensor.to(device)
        return self._copies[name, device]


def _check_digits(vocab: NumberVocab) -> None:
    missing = sorted(set(range(10)) - {int(value) for value in vocab.values.tolist() if value < 10})
    if missing:
        raise ValueError(
            f"The number vocabulary lacks the digits {missing}, so that the place of a digit in its number is not "
            "known. Add them with `ntl_hf.add_digit_tokens`, or take a loss and weights that look at single tokens "
            "(`ntl_loss: was`, `ntl_place_weights: none`)."
        )
