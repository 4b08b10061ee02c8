"""Texts that state a known number in one of many spellings, readable or not."""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st

SPACES = ("\u00a0", "\u2009", "\u202f")
GROUPS = (",", *SPACES, "{,}", r"\,", ",\\!", "'", ".", " ", "_", "")
MINUSES = ("", "", "-", "−", "–", "—", "‑", "－", "&minus;", "- ", "minus ", "negative ", "Minus ", "±", "-+")
MAGNITUDES = {" thousand": 10**3, " million": 10**6, "-million": 10**6, " billion": 10**9, "k": 10**3, "M": 10**6}
MAGNITUDES |= {
    " dozen": 12,
    " Millionen": 10**6,
    " lakh": 10**5,
    " hundred thousand": 10**5,
    "bn": 10**9,
    " mio": 10**6,
}
ADDITIONS = ("unit", "magnitude", "magnitude unit", "change")
MONEY = ("$", "€", "US$", r"\$")
VULGAR = {"½": Fraction(1, 2), "¾": Fraction(3, 4), "⅓": Fraction(1, 3), "⅞": Fraction(7, 8)}
UNITS = (
    *(
        "km",
        "cm^2",
        "m/s^2",
        "km²",
        "kg",
        "mph",
        "m",
        "s",
        "°",
        "°C",
        "%",
        r"\%",
        r"^\circ",
        "€",
        r"\text{ cm}",
        "x",
        "th",
    ),
    *("m s^{-2}", "apples", "-year-old", "K", "h", "percent", "in", "a"),
)
MARKUP = (
    "{}",
    "{}",
    "**{}**",
    "_{}_",
    "`{}`",
    "${}$",
    r"\boxed{{{}}}",
    r"\({}\)",
    "<b>{}</b>",
    r"$\boxed{{{}}}$",
    "({})",
)
# What makes another number of the one behind or before it.
CHANGES = {
    "{}!": None,
    "{}^2": 2, "{}²": 2, "{}**2": 2, "{} squared": 2, r"\sqrt{{{}}}": None, "√{}": None, "half of {}": None,
    r"{}\pi": None, "{}π": None, "twice {}": None, "({})^2": 2, "|{}|": None, "f({})": None, "x - {}": None,
    "{} and a half": None, "less than {}": None, "{}/x": None, "{}x": None, "{} x": None, "-({})": -1,
    "x_{{{}}}": None,
    r"\frac{{{}}}{{\pi}}": None, r"\log {}": None, "<{}": None, "{}+": None, "one or {}": None,
}  # fmt: skip
BEFORE = (
    "",
    "",
    "The answer is ",
    "x = ",
    "It is ",
    "so ",
    "#### ",
    "Answer: ",
    "* ",
    "cm² = ",
    "x2 = ",
    "H2O: ",
    "= ",
)
AFTER = (
    "",
    "",
    ".",
    " apples",
    " in all.",
    " (that is it)",
    "!",
    ", I think",
    " per day",
    "/hour",
    "\n",
    " cats' tails",
)


@dataclass(frozen=True)
class Spelled:
    """A text, and the number that a person reads there; None where that is open."""

    text: str
    value: Fraction | None


@st.composite
def numbers(draw: st.DrawFn) -> Spelled:
    """Without a sign."""
    kind = draw(
        st.sampled_from(["whole", "decimal", "exponent", "power", "fraction", "vulgar", "latex", "power only"])
    )
    whole = draw(st.integers(0, 10**7))
    if kind == "whole":
        group = draw(st.sampled_from(GROUPS))
        # `1.250` is a decimal; `1.250.000` is not.
        group = "," if group == "." and whole < 10**6 else group
        return Spelled(f"{whole:,}".replace(",", group), Fraction(whole))
    if kind == "decimal":
        text = f"{whole:,}".replace(",", draw(st.sampled_from(["", ","]))) + "." + str(draw(st.integers(0, 999)))
        return Spelled(text, Fraction(text.replace(",", "")))
    if kind in ("exponent", "power", "power only"):
        return draw(powers(kind))
    return draw(fractions(kind))


@st.composite
def powers(draw: st.DrawFn, kind: str) -> Spelled:
    factor, exponent = draw(st.sampled_from(["5", "1.5", "60", "007", ".5"])), draw(st.integers(-9, 12))
    value = Fraction(factor) * Fraction(10) ** exponent
    if kind == "exponent":
        return Spelled(f"{factor}{draw(st.sampled_from(['e', 'E']))}{exponent}", value)
    raised = str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    power = draw(
        st.sampled_from([f"10^{exponent}", f"10^{{{exponent}}}", f"10**{exponent}", f"10{raised}", f"10 ^ {exponent}"])
    )
    if kind == "power only":
        return Spelled(power, Fraction(10) ** exponent)
    return Spelled(
        factor + draw(st.sampled_from(["×", " × ", "x", " x ", "*", "·", r"\times ", r" \cdot "])) + power, value
    )


@st.composite
def fractions(draw: st.DrawFn, kind: str) -> Spelled:
    whole = draw(st.sampled_from([0, 0, 3, 12]))
    before = f"{whole}" if whole else ""
    if kind == "vulgar":
        sign = draw(st.sampled_from(list(VULGAR)))
        return Spelled(before + draw(st.sampled_from(["", " "])) * bool(whole) + sign, whole + VULGAR[sign])
    over, under = draw(st.integers(1, 20)), draw(st.integers(2, 20))
    # With an improper fraction, nobody knows what it is.
    value = None if whole and over >= under else whole + Fraction(over, under)
    if kind == "latex":
        return Spelled(before + rf"\{draw(st.sampled_from(['', 'd', 't']))}frac{{{over}}}{{{under}}}", value)
    return Spelled(before + " " * bool(whole) + f"{over}{draw(st.sampled_from('/⁄'))}{under}", value)


@st.composite
def answers(draw: st.DrawFn) -> Spelled:
    """A number with all that may stand around it."""
    number, minus, currency = draw(numbers()), draw(st.sampled_from(MINUSES)), draw(st.sampled_from(["", "", *MONEY]))
    text, value = minus + currency + number.text, number.value
    if value is not None:
        value = None if minus in ("±", "-+") else -value if minus.strip() else value
    addition = draw(st.sampled_from(["", *ADDITIONS]))
    if addition == "change" and text[-1] not in "⁰¹²³⁴⁵⁶⁷⁸⁹":
        # An amount of money has no factorial.
        change = draw(st.sampled_from([change for change in CHANGES if not currency or change != "{}!"]))
        text, value = change.format(text), _changed(value, CHANGES[change])
    if "magnitude" in addition:
        magnitude = draw(st.sampled_from(list(MAGNITUDES)))
        text, value = text + magnitude, None if value is None else value * MAGNITUDES[magnitude]
    if "unit" in addition:
        # Of money, `K` and `m` are magnitudes.
        unit = draw(st.sampled_from([unit for unit in UNITS if not currency or unit not in ("K", "m")]))
        text += (" " if "magnitude" in addition else draw(st.sampled_from(["", " "]))) + unit
    # A formula has no bare dollar in it.
    text = draw(st.sampled_from([markup for markup in MARKUP if "$" not in currency or "$" not in markup])).format(
        text
    )
    return Spelled(draw(st.sampled_from(BEFORE)) + text + draw(st.sampled_from(AFTER)), value)


def _changed(value: Fraction | None, by: int | None) -> Fraction | None:
    if value is None or by is None:
        return None
    return -value if by < 0 else value**by
