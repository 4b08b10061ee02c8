"""The answers that can be given, where they are few enough to be listed: ranges of numbers, and their token ids."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from datasets import Dataset

from ..data import TextEncoder, final_answer
from ..data.number_text import answer_number

# Of different beginnings of the answers, in tokens: each is a row of a forward pass, for every prompt.
MOST_BEGINNINGS = 100_000
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_RANGE = re.compile(rf"(?P<first>{_NUMBER})-(?P<last>{_NUMBER})")
_IN_BRACES = re.compile(rf"(?P<before>[^{{}}]*)\{{(?P<range>{_NUMBER}-{_NUMBER})\}}(?P<after>[^{{}}]*)")


def number_range(text: str) -> list[str]:
    """The answers of a range, in order, such as "0-10" or "000-999".

    The ends are written as the answers are: with a leading zero, all have their width; with decimals, as many
    ("0.0-9.9" goes up by 0.1). Where answers have text around the number, a leading space included, the range stands
    in braces: " {0-10}", "#### {0-100}".

    Raises:
        ValueError: it is no range, its ends are not written alike, it goes down, or it has more than 100,000 numbers.
    """
    inside = _IN_BRACES.fullmatch(text)
    before, span, after = (inside["before"], inside["range"], inside["after"]) if inside else ("", text, "")
    ends = _RANGE.fullmatch(span)
    if ends is None:
        raise ValueError(f"A range must be written as 0-10, 000-999, 0.0-9.9 or ' {{0-10}}', not '{text}'.")
    first, last = ends["first"], ends["last"]
    places = len(first.partition(".")[2])
    digits = [len(end.lstrip("-")) for end in (first, last)]
    width = digits[0] if re.match("-?0[0-9]", first) else 0
    if len(last.partition(".")[2]) != places or (width and digits[1] != width):
        raise ValueError(f"The ends of the range '{text}' must be written alike: give both the same digits.")
    low, high = (int(end.replace(".", "")) for end in (first, last))
    if not low <= high < low + MOST_BEGINNINGS:
        raise ValueError(f"The range '{text}' must go up, and have at most {MOST_BEGINNINGS:,} numbers.")
    return [f"{before}{_write(number, places, width)}{after}" for number in range(low, high + 1)]


def _write(number: int, places: int, width: int) -> str:
    # A minus is not one of the digits.
    return f"{Decimal(number).scaleb(-places):f}".zfill(width + (number < 0))


def encode_formats(
    formats: Sequence[str], tokenizer: Any, is_encoder_decoder: bool, answer_mark: str | None = None
) -> list[list[int]]:
    """Token ids of each answer as the model is trained to write it, without the end of text.

    Raises:
        ValueError: there are none or too many, one is no number, or two are equal, as texts or as tokens.
    """
    if not len(formats):
        raise ValueError("`formats` must not be empty: list the answers that can be given, or number_range('0-10').")
    if len(formats) > MOST_BEGINNINGS:
        raise ValueError(f"`formats` must be at most {MOST_BEGINNINGS:,}, not {len(formats):,}; or take samples.")
    for text in formats:
        answer = final_answer(text, answer_mark)
        if answer is None or answer_number(answer) is None:
            mark = "" if answer_mark is None else f" after '{answer_mark}'"
            raise ValueError(f"The format {text!r} has no number{mark}.")
    # In rows as those of the training: what stands at the start of a completion is the tokenizer's matter.
    rows = Dataset.from_dict({"prompt": [""] * len(formats), "completion": list(formats)})
    labels = TextEncoder(tokenizer, is_encoder_decoder).encode(rows)["labels"]
    ids = [[token for token in row if token >= 0][:-1] for row in labels]
    _check_tokens(formats, ids)
    return ids


def _check_tokens(formats: Sequence[str], ids: Sequence[Sequence[int]]) -> None:
    first: dict[tuple[int, ...], str] = {}
    beginnings: set[tuple[int, ...]] = set()
    for text, tokens in zip(formats, map(tuple, ids), strict=True):
        if first.get(tokens) == text:
            raise ValueError(f"The format {text!r} is there twice.")
        if tokens in first:
            raise ValueError(
                f"The formats {first[tokens]!r} and {text!r} are the same tokens: this tokenizer has no such digits."
            )
        first[tokens] = text
        beginnings.update(tokens[:end] for end in range(len(tokens) + 1))
        if len(beginnings) > MOST_BEGINNINGS:
            raise ValueError(
                f"The formats must have at most {MOST_BEGINNINGS:,} different beginnings, in tokens; or take samples."
            )
