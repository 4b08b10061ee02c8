"""How a number is written, in plain text: one regular expression, and its value."""

import math
import re

from .units import RAISED_UNIT, UNIT

MAGNITUDES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "lakh": 1e5,
    "million": 1e6,
    "crore": 1e7,
    "billion": 1e9,
    "trillion": 1e12,
    "quadrillion": 1e15,
}
# `k` and `bn` touching the number; the others of money alone: `5m`, `5K` and `5B` may be metres, kelvins and bytes.
_LETTERS = {"k": 1e3, "m": 1e6, "b": 1e9, "bn": 1e9, "t": 1e12}

_INTEGER = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_POWER = rf"(?:(?P<factor>{_DECIMAL})[ ]?[×xX*·⋅][ ]?)?10[ ]?(?:\^|\*\*)[ ]?\(?(?P<exponent>[+-]?[0-9]{{1,4}})\)?"
# The longer forms first: a decimal would stop at the slash.
_DIGITS = (
    rf"(?:{_POWER}|(?:(?P<whole>{_INTEGER})[ ])?(?P<over>{_INTEGER})/(?P<under>{_INTEGER})|(?P<decimal>{_DECIMAL}))"
)
_MAGNITUDE = (
    rf"(?:(?P<words>(?:[ ](?i:{'|'.join(MAGNITUDES)})s?\b(?!-))+)"
    r"|(?P<letter>(?(money)[ ]?(?:bn|[kmbtKMBT])|(?:bn|k))(?!\w)))"
)
_MONEY = r"(?P<money>(?:(?:[A-Z]{1,3})?\$|[€£¥₹₩₪₽])[ ]?)"
_SIGN = r"(?P<sign>[+-])"
_INNER_SIGN = r"(?(money)(?P<inner>[+-])?)"
# Not of a longer run: `1.2.3`, `12:30`, `1,25`, `2nd`, `10x`; nor with what makes another number of it: `5^2`, `5!`
# (of money, `$5!` is an exclamation).
_END = r"(?!\w|[\u0300-\u036f\ufe0f\u20e3]|[.,/:'’]?[0-9]|[ ]?(?:\^|\*\*[ ]?[+(-]?[0-9]))(?(money)|(?!!(?!=)))"
_PERCENT = r"(?:[ ]?%(?!\w))?"

# In a sentence `-` is a sign only where no operand stands before it: `3-5`, `50%-60%` and `(a)-5` have none.
_FREE_SIGN = rf"(?<![\w)\]}}%.$€£+^-]){_SIGN}"
# A number does not begin inside a word (`x2`), after a word's hyphen (`GPT-4`), inside a longer run (`1.2.3`), as a
# power, or without the sign of its money.
_BEGIN = r"(?<![\w^$€£¥₹₩₪₽])(?<![$€£¥₹₩₪₽][ ])(?<![0-9][.,/:])(?<![^\W0-9]-)(?<!\^[+ -])(?<!\*\*)(?<!\*\*[ ])"
_DATE = r"(?<!\w)(?:[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}-[0-9]{4})(?!\w)"
# Words with digits, and a hyphen before them: `x2`, `v1.2`, `GPT-4`.
_WORD = r"(?<!\w)(?![A-Z]{1,3}\$)[^\W\d_]\w*(?:(?<=[0-9])\.[0-9]\w*|-[0-9]\w*)*"
_ORDINAL = rf"{_BEGIN}[0-9]*(?:1st|2nd|3rd|[0-9]th)\b"

WHOLE = re.compile(rf"{_SIGN}?{_MONEY}?{_INNER_SIGN}{_DIGITS}{_MAGNITUDE}?{_END}{_PERCENT}\.?")
# What else has digits is found as well, as `rest`: it is no number.
IN_TEXT = re.compile(
    rf"(?P<word>{RAISED_UNIT}|{_WORD}|{_ORDINAL})|(?P<date>{_DATE})"
    rf"|(?:{_FREE_SIGN}|(?<!\w)(?=[A-Z€£¥₹₩₪₽$])|{_BEGIN}){_MONEY}?{_INNER_SIGN}"
    rf"{_DIGITS}(?:{_MAGNITUDE}|(?(money)|{UNIT}))?{_END}{_PERCENT}"
    r"|(?P<rest>(?:(?<![\w.,])[.,])?\d(?:[\w.,/:^'’]*\w)?)"
)


def value_of(match: re.Match[str]) -> float | None:
    """The number of a match; None for `1/0`, `4 10/3`, two signs, and what is too large for a float."""
    size = _size(match)
    if size is None or (match["sign"] and match["inner"]) or not math.isfinite(size):
        return None
    return -size if "-" in (match["sign"], match["inner"]) else size


def _size(match: re.Match[str]) -> float | None:
    if match["exponent"]:
        # As Python reads it: a product would round once more.
        digits = (match["factor"] or "1").replace(",", "")
        size = float(f"{digits}e{match['exponent']}") if "e" not in digits.lower() else math.nan
    elif match["decimal"]:
        size = _float(match["decimal"])
    else:
        over, under = _float(match["over"]), _float(match["under"])
        if under == 0 or (match["whole"] and over >= under):
            return None
        size = _float(match["whole"] or "0") + over / under
    return size * _factor(match)


def _factor(match: re.Match[str]) -> float:
    if match["letter"]:
        return _LETTERS[match["letter"].strip().lower()]
    return math.prod(MAGNITUDES[word.lower().removesuffix("s")] for word in (match["words"] or "").split())


def _float(digits: str) -> float:
    return float(digits.replace(",", ""))
