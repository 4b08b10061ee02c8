"""`report_vocab`: how a tokenizer writes numbers, which tokens count as numbers, and which do not and why."""

import re
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .number_vocab import NoNumberTokensError, NumberVocab, TokenReader

SAMPLES = ("1234", " 1234.5")
_ASCII_DIGIT = re.compile(r"[0-9]")
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
# Why a text with an ASCII digit in it is no number token, by its shape: the first that matches.
_SHAPES = (
    ("exponent", re.compile(r"[+-]?[0-9.]*[0-9]\.?[eE][+-]?[0-9]+")),
    ("underscore", re.compile(r"(?=.*_)[+-]?[0-9._]+")),
    ("decimal point", re.compile(r"(?=.*\.)[+-]?[0-9.]+")),
    ("sign", re.compile(r"[+−-]+[0-9]+")),
)


@dataclass(frozen=True)
class VocabReport:
    """What a tokenizer offers to a number loss.

    Attributes:
        name: the tokenizer's name or path.
        size: number of tokens, the added ones included.
        numbers: the number tokens; None where there are none.
        problem: what to do about a tokenizer without number tokens; None where there are some.
        warnings: what else a user should know, such as missing digits.
        left_out: the tokens with digits that do not count as numbers, by reason, the most frequent first; decoded
            where they are not made of ASCII digits alone.
        samples: how each of `SAMPLES` is cut into tokens.
    """

    name: str
    size: int
    numbers: NumberVocab | None
    problem: str | None
    warnings: tuple[str, ...]
    left_out: dict[str, list[str]]
    samples: dict[str, list[str]]


def report_vocab(tokenizer: Any, digits_only: bool = True) -> VocabReport:
    """Analyse a tokenizer, without changing it.

    Args:
        tokenizer: a `PreTrainedTokenizerBase`, or a processor that has one as `.tokenizer`.
        digits_only: as in `NumberVocab.from_tokenizer`.
    """
    reader = TokenReader(tokenizer)
    numbers, problem = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            numbers = NumberVocab.from_tokenizer(reader.tokenizer, digits_only)
        except NoNumberTokensError as error:
            problem = str(error)
    return VocabReport(
        name=getattr(reader.tokenizer, "name_or_path", "") or type(reader.tokenizer).__name__,
        size=len(reader.tokenizer),
        numbers=numbers,
        problem=problem,
        warnings=tuple(str(warning.message) for warning in caught),
        left_out=_left_out(reader, digits_only),
        samples={text: reader.tokenizer.tokenize(text) for text in SAMPLES},
    )


def _left_out(reader: TokenReader, digits_only: bool) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for token_id, token, text in _decoded(reader):
        digits = reader.digits_of(token)
        if digits is not None:
            reason, shown = reader.why_left_out(token_id, digits, digits_only), token
        else:
            reason, shown = _reason(token, text, is_special=token_id in reader.special_ids), text
        if reason is not None:
            groups.setdefault(reason, []).append(shown)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _decoded(reader: TokenReader) -> Iterator[tuple[int, str, str]]:
    """Id, token and text of each token that may have a digit, ordered by id."""
    found = sorted((i, token) for token, i in reader.tokenizer.get_vocab().items() if _may_have_digits(token))
    # `batch_decode` makes one text of an empty batch.
    texts = reader.tokenizer.batch_decode([[i] for i, _ in found], clean_up_tokenization_spaces=False) if found else []
    for (token_id, token), text in zip(found, texts, strict=True):
        yield token_id, token, text


def _may_have_digits(token: str) -> bool:
    # Byte-level tokenizers write every byte beyond ASCII as some letter: only decoding shows whether it is a digit.
    return _ASCII_DIGIT.search(token) is not None or not token.lstrip("Ġ▁").isascii()


def _reason(token: str, text: str, is_special: bool) -> str | None:
    """Why a token that is not made of digits alone is no number; None if there is no digit in it anyway."""
    byte = _BYTE.fullmatch(token)
    if byte:
        return "byte fallback" if chr(int(byte[1], 16)) in "0123456789" else None
    kinds = {_kind(character) for character in text} - {None}
    if not kinds:
        return None
    if is_special:
        return "special token"
    if "ascii" not in kinds:
        return "digit of another script" if "digit" in kinds else "superscript, fraction or other numeral"
    text = text.strip()
    shapes = (name for name, shape in _SHAPES if shape.fullmatch(text))
    return next(shapes, "mixed with letters" if any(map(str.isalpha, text)) else "mixed with other characters")


def _kind(character: str) -> str | None:
    if "0" <= character <= "9":
        return "ascii"
    return {"Nd": "digit", "Nl": "numeral", "No": "numeral"}.get(unicodedata.category(character))
