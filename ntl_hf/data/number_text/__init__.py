"""Numbers in text: one grammar for reading an answer, finding numbers in a sentence, and judging a generated answer.

The rule behind every choice: nothing is guessed. A text gives the number that a person reads there, or none: never a
part of it, and never one of two that it could mean. An answer that is read wrongly counts as a model's error (or
success) and nobody sees it, while an unreadable one is counted.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from .context import is_changed
from .grammar import IN_TEXT, WHOLE, value_of
from .plain import plain_text

__all__ = ["answer_number", "find_numbers", "read_number"]

_NEGATIVE = re.compile(
    r"(?:(?<=^)|(?<=[=:(,;.!?→>\n])|(?<=\b(?:is|be|to|of|or|at|by))|(?<=\b(?:was|are|and|get))|(?<=\bgives)|(?<=\banswer)|"
    r"(?<=\bequals))(?P<space> ?)(?:minus|negative) +(?=(?:[$€£] ?)?\.?[0-9])",
    re.IGNORECASE,
)


def read_number(text: str) -> float | None:
    r"""The number that `text` is, or None if the text as a whole, stripped, is not one number.

    Read are: a sign (`+`, `-`, any dash but the em dash, "minus"), thousands separators in right groups (`1,250`, and
    no-break or thin spaces), decimals (`-0.5`, `.5`, `5.`), an exponent (`1.5e6`), powers of ten (`5×10⁵`, `3x10^8`,
    `10^5`), a currency sign before (`$12`, `-$12`, `$-12`, `€`, `£`), a percent sign after, fractions (`3/4`, `½`,
    `\frac{3}{4}`), mixed numbers (`1 1/2`, `3½`), magnitudes (`1.5 million`, `3k`, `$5M`) and the full stop that
    closes a sentence; all of it also in bold, in a box, as HTML entities.

    `50%` is 50: the sign is a unit and is dropped like the dollar's, since data sets ask "what percentage" and store
    50. Dividing would make a right answer wrong by a factor of 100.

    None for everything else: `1,25`, `0,125` (a decimal comma?), `3-5`, `1.2.3`, `1_000`, digits other than 0-9, `5M`
    (millions, or a unit?), `5!`, `±5`, `√4`, `2π`, `4 10/3`, `nan`, `inf`, `1/0`, the empty text, and numbers too
    large for a float.
    """
    match = WHOLE.fullmatch(_plain(text).strip())
    return None if match is None else value_of(match)


def find_numbers(text: str) -> list[float]:
    """The numbers in free text, in order, by the grammar of `read_number`, also before units (`20cm^2`, `9.8 m/s²`).

    `3-5` gives 3 and 5. Digits that touch a letter or an underscore belong to a word and give nothing (`x2`, `2nd`,
    `10x`, `1_000`, `GPT-4`), since the letters change what they mean; neither do runs that are no number as a whole
    (versions `1.2.3`, dates `2024-01-15` and `1/15/2024`, times `12:30`, `1,25`, `1/0`). A sign touches its number:
    `3 - 5` gives 3 and 5. What stands beside a number is not looked at: that is for `answer_number`.
    """
    return [each.value for each in _readings(_plain(text)) if each.value is not None]


def answer_number(text: str) -> float | None:
    """The number that a generated answer states: the whole text, or else the one number in it.

    `18 dollars`, `x = -3`, `5km` and `The answer is 1,250.` have one. None where there is none, or more than one (also
    the same one twice: `5 + 0 = 5`): to pick the first or the last would be a guess. Digits that are no number count
    (`1,25 or 7`), those of words do not (`x2 = 7`). Also None where what stands beside the only number changes it, or
    may: an operator (`x - 5`, `- 5 apples`, `√4`, `<5`), a letter (`5 x`, `f(5)`), a word (`half of 10`, `5 and a
    half`, `less than 5`, `5 squared`).
    """
    plain = _plain(text)
    whole = WHOLE.fullmatch(plain.strip())
    if whole is not None:
        return value_of(whole)
    readings = list(_readings(plain))
    if len(readings) != 1:
        return None
    (only,) = readings
    return None if is_changed(plain, only.start, only.end, only.is_signed) else only.value


@dataclass(frozen=True)
class _Reading:
    """A number of a text and where it stands; without a value, digits that are no number."""

    value: float | None
    start: int
    end: int
    is_signed: bool = False


def _readings(text: str) -> Iterator[_Reading]:
    for match in IN_TEXT.finditer(text):
        if match["word"]:
            if any(_is_odd_digit(character) for character in match[0]):
                yield _Reading(None, *match.span())
        elif match["rest"]:
            yield _Reading(None, *match.span())
        elif match["decimal"] or match["over"] or match["exponent"]:
            yield _Reading(value_of(match), *match.span(), is_signed=bool(match["sign"]))


def _is_odd_digit(character: str) -> bool:
    # Those of names stand low: `x₁`.
    return not character.isascii() and unicodedata.category(character)[0] == "N" and not "₀" <= character <= "₉"


def _plain(text: str) -> str:
    return _NEGATIVE.sub(lambda match: f"{match['space']}-", plain_text(text))
