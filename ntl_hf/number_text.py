"""Numbers in text: one grammar for reading an answer, finding numbers in a sentence, and judging a generated answer.

The rule behind every choice: nothing is guessed. Text that could mean two numbers is no number, because an answer
that is read wrongly counts as a model's error (or success) and nobody sees it, while an unreadable one is counted.
"""

import math
import re

_INTEGER = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# The fraction first: a decimal would stop at the slash.
_VALUE = rf"(?:(?:(?P<whole>{_INTEGER})[ ])?(?P<over>{_INTEGER})/(?P<under>{_INTEGER})|(?P<decimal>{_DECIMAL}))"
_CURRENCY = r"[$€£][ ]?"
_PERCENT = r"(?:[ ]?%)?"

_WHOLE_TEXT = re.compile(rf"(?:(?P<sign>[+-])?(?:{_CURRENCY})?|{_CURRENCY}(?P<inner>[+-])){_VALUE}{_PERCENT}\.?")

# In a sentence `-` is a sign only where no operand stands before it: `3-5`, `50%-60%` and `(a)-5` have none.
_SIGN = r"(?<![\w)\]}%.$€£+-])(?P<sign>[+-])"
# A number does not begin inside a word (`x2`), after a word's hyphen (`GPT-4`) or inside a longer run (`1.2.3`).
_BEGIN = r"(?<!\w)(?<![0-9][.,/:])(?<![^\W0-9]-)"
# ... and does not end inside one either: `2nd`, `10k` and `1_000` do not mean 2, 10 and 1.
_END = r"(?!\w)(?![.,/:][0-9])"
_DATE = r"(?<!\w)(?:[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}-[0-9]{4})(?!\w)"
_IN_TEXT = re.compile(
    rf"{_DATE}|(?:{_SIGN}(?:{_CURRENCY})?|(?<!\w){_CURRENCY}(?P<inner>[+-])?|{_BEGIN}){_VALUE}{_END}{_PERCENT}"
)


def read_number(text: str) -> float | None:
    """The number that `text` is, or None if the text as a whole, stripped, is not one number.

    Read are: a sign (`+`, `-`, the Unicode minus), thousands separators in right groups (`1,250`), decimals (`-0.5`,
    `.5`, `5.`), an exponent (`1.5e6`), a currency sign before (`$12`, `-$12`, `$-12`, `€`, `£`), a percent sign after,
    fractions (`3/4`), mixed numbers (`1 1/2`) and the full stop that closes a sentence.

    `50%` is 50: the sign is a unit and is dropped like the dollar's, since data sets ask "what percentage" and store
    50. Dividing would make a right answer wrong by a factor of 100.

    None for everything else: `1,25`, `0,125` (a decimal comma?), `3-5`, `1.2.3`, `1_000`, digits other than 0-9,
    `nan`, `inf`, `1/0`, the empty text, and numbers too large for a float.
    """
    match = _WHOLE_TEXT.fullmatch(_plain_minus(text).strip())
    return None if match is None else _value(match)


def find_numbers(text: str) -> list[float]:
    """The numbers in free text, in order, by the grammar of `read_number`.

    `3-5` gives 3 and 5. Digits that touch a letter or an underscore belong to a word and give nothing (`x2`, `2nd`,
    `10k`, `1_000`, `GPT-4`), since the letters change what they mean; neither do runs that are no number as a whole
    (versions `1.2.3`, dates `2024-01-15` and `1/15/2024`, times `12:30`, `1,25`, `1/0`). A sign touches its number:
    `3 - 5` gives 3 and 5.
    """
    return [value for value, _ in _found(_plain_minus(text))]


def answer_number(text: str) -> float | None:
    """The number that a generated answer states: the whole text, or else the one number in it.

    `18 dollars`, `x = -3` and `The answer is 1,250.` have one. None where there is none, or more than one (also the
    same one twice: `5 + 0 = 5`): to pick the first or the last would be a guess. Also None where a minus stands apart
    from the only number (`x - 5`, `- 5 apples`): it may be a sign, a subtraction or a bullet.
    """
    text = _plain_minus(text)
    whole = read_number(text)
    if whole is not None:
        return whole
    found = _found(text)
    if len(found) != 1:
        return None
    value, start = found[0]
    return None if text[:start].rstrip().endswith("-") else value


def _found(text: str) -> list[tuple[float, int]]:
    """Each number of the text and where it begins."""
    matches = [match for match in _IN_TEXT.finditer(text) if match["decimal"] or match["over"]]
    return [(value, match.start()) for match in matches if (value := _value(match)) is not None]


def _plain_minus(text: str) -> str:
    return text.replace("\N{MINUS SIGN}", "-")


def _value(match: re.Match[str]) -> float | None:
    """The float of a match; None where the denominator is 0 or the number too large."""
    if match["decimal"]:
        size = _float(match["decimal"])
    elif (under := _float(match["under"])) == 0:
        return None
    else:
        size = _float(match["whole"] or "0") + _float(match["over"]) / under
    negative = "-" in (match["sign"], match["inner"])
    return None if not math.isfinite(size) else -size if negative else size


def _float(digits: str) -> float:
    return float(digits.replace(",", ""))
