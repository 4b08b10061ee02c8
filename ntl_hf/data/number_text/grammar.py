"""How a number is written, in plain text: one regular expression, and its value."""

import math
import re

# Powers of ten.
MAGNITUDES = {
    **{"hundred": 2, "thousand": 3, "lakh": 5, "million": 6, "crore": 7},
    **{"billion": 9, "trillion": 12, "quadrillion": 15},
}
# Touching the number. `m`, `b` and `t` of money alone: `5m`, `5K` and `5B` may be metres, kelvins and bytes; and `14k`
# is gold.
_LETTERS = {"k": 3, "m": 6, "b": 9, "bn": 9, "t": 12}

# Units of measurement: letters and powers beside a number that are not of its value.
# Also where they touch the number. Without those that read as something else there: `5m` and `5k` are counts as well,
# `5s` a plural, `5A` and `3D` names.
_TOUCHING = (
    *("mm", "cm", "dm", "km", "µm", "μm", "nm", "ft", "yd", "mi", "inch", "inches", "feet", "miles", "meters"),
    *("mg", "g", "kg", "lb", "lbs", "oz", "tons", "grams", "ml", "mL", "cl", "dl", "l", "L", "gal", "cc"),
    *("ns", "ms", "sec", "secs", "min", "mins", "h", "hr", "hrs", "hours", "minutes", "seconds", "days", "years"),
    *("Ω", "kΩ", "Hz", "kHz", "MHz", "GHz", "V", "mV", "kV", "W", "mW", "kW", "MW", "GW", "Wh", "kWh", "MWh"),
    *("J", "kJ", "MJ", "cal", "kcal", "eV", "keV", "MeV", "GeV", "mA", "Pa", "hPa", "kPa", "MPa", "bar", "psi"),
    *("mol", "mmol", "dB", "kB", "KB", "MB", "GB", "TB", "px", "dpi", "mph", "kph", "rpm", "ppm", "ha"),
    *("USD", "EUR", "GBP", "pcs"),
)
# Also letters, where a space or a further unit shows that they are units.
_APART = (*_TOUCHING, *("m", "s", "d", "t", "A", "C", "F", "N", "K", "in"))
_DEGREES = "(?:[ ]?°[ ]?[CFK]?)"
_RAISED = r"(?:(?:\^|\*\*)\(?[+-]?[1-9]\)?)"


def _any_of(names: tuple[str, ...]) -> str:
    return rf"(?:{'|'.join(sorted(names, key=len, reverse=True))})(?![^\W_])"


_PARTS = rf"(?:[ ]?[/·*⋅][ ]?{_any_of(_APART)}{_RAISED}?|[ ]{_any_of(_APART)}{_RAISED})"
# A power or a further unit makes metres of `m`.
_SHOWN = rf"(?:m|s|{_any_of(_TOUCHING)})(?:{_RAISED}{_PARTS}*|{_PARTS}+)"
_PLAIN = rf"(?:{_any_of(_TOUCHING)}|(?<=[ ])(?:{_any_of(('m', 's', 't', 'A', 'C', 'F', 'N', 'd'))}))"

# After a number.
_UNIT = rf"(?:[ ]?{_SHOWN}|[ ]?{_PLAIN}|{_DEGREES}(?!\w))"
# Elsewhere: a unit whose power is no number of the text.
_RAISED_UNIT = rf"(?<!\w){_any_of(_APART)}{_RAISED}(?!\w)"

_INTEGER = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)(?:[eE][+-]?[0-9]{{1,6}})?"
_EXPONENT = r"(?P<open>\()?(?P<exponent>[+-]?[0-9]{1,4})(?(open)\))"
_POWER = rf"(?:(?P<factor>{_DECIMAL})[ ]?[×xX*·⋅][ ]?)?10[ ]?(?:\^|\*\*)[ ]?{_EXPONENT}"
# The longer forms first: a decimal would stop at the slash.
_DIGITS = (
    rf"(?:{_POWER}|(?:(?P<whole>{_INTEGER})[ ])?(?P<over>{_INTEGER})/(?P<under>{_INTEGER})|(?P<decimal>{_DECIMAL}))"
)
_MAGNITUDE = (
    rf"(?:(?P<words>(?:[ ](?i:{'|'.join(MAGNITUDES)})s?\b(?!-))+)"
    r"|(?P<letter>(?(money)(?:[ ]?bn|[kmbtKMBT])|(?:bn|(?<!14)(?<!18)(?<!22)(?<!24)(?<!401)k))(?![\w'’-])))"
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
    rf"(?P<word>{_RAISED_UNIT}|{_WORD}|{_ORDINAL})|(?P<date>{_DATE})"
    rf"|(?:{_FREE_SIGN}|(?<!\w)(?=[A-Z€£¥₹₩₪₽$])|{_BEGIN}){_MONEY}?{_INNER_SIGN}"
    rf"{_DIGITS}(?:{_MAGNITUDE}|(?(money)|{_UNIT}))?{_END}{_PERCENT}"
    r"|(?P<rest>(?:(?<![\w.,])[.,])?\d(?:[\w.,/:^'’]*\w)?)"
)


def value_of(match: re.Match[str]) -> float | None:
    """The number of a match; None for `1/0`, `4 10/3`, two signs, and what is out of a float's range."""
    size = _size(match)
    if size is None or (match["sign"] and match["inner"]) or not math.isfinite(size):
        return None
    if size == 0 and re.search("[1-9]", match["decimal"] or match["factor"] or match["over"] or "1"):
        return None  # too small
    return -size if "-" in (match["sign"], match["inner"]) else size


def _size(match: re.Match[str]) -> float | None:
    power = _power_of_ten(match)
    if match["exponent"]:
        factor = match["factor"] or "1"
        # `1e2×10^3` is nobody's way to write a number.
        return None if "e" in factor.lower() else _decimal(factor, power + int(match["exponent"]))
    if match["decimal"]:
        return _decimal(match["decimal"], power)
    whole, over, under = (_decimal(match[name] or "0", 0) for name in ("whole", "over", "under"))
    if under == 0 or (match["whole"] and over >= under):
        return None
    return (whole + over / under) * 10.0**power


def _power_of_ten(match: re.Match[str]) -> int:
    """What a magnitude behind the number multiplies it by."""
    if match["letter"]:
        return _LETTERS[match["letter"].strip().lower()]
    return sum(MAGNITUDES[word.lower().removesuffix("s")] for word in (match["words"] or "").split())


def _decimal(digits: str, power: int) -> float:
    """digits * 10^power, rounded once: 1.1 * 1e6 is not 1,100,000."""
    mantissa, _, exponent = digits.replace(",", "").lower().partition("e")
    return float(f"{mantissa}e{int(exponent or 0) + power}")
