r"""Typography and markup in one plain spelling, so that the grammar has one way to write each thing.

A person sees the same number in `**5**`, `\boxed{5}`, `&minus;5` and `−5`. What is not known stays as it is, and makes
the number beside it unreadable there.
"""

import html
import re
import unicodedata

# Invisible: a person does not see them. U+2062, which means "times", and U+202E, which turns digits around, stay.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
# Hyphens, the figure and the en dash, the minus sign, full width forms. The em dash stays: it is punctuation.
_DASHES = re.compile("[\u2010-\u2013\u2212\ufe58\ufe63\uff0d]")
_GROUP_SPACES = "\u00a0\u2006\u2007\u2008\u2009\u200a\u202f"
_GROUPED = re.compile(rf"(?<![\w.,])[1-9][0-9]{{0,2}}(?:([{_GROUP_SPACES}])[0-9]{{3}})(?:\1[0-9]{{3}})*(?!\w)")
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉"
_FROM_SCRIPT = str.maketrans(_RAISED + _LOWERED, "0123456789+-0123456789")
_SCRIPT_FRACTION = re.compile(rf"(?<![{_RAISED[:10]}])([{_RAISED[:10]}]+)\u2044([{_LOWERED}]+)")
_POWER = re.compile(rf"[{_RAISED}]+")
_VULGAR = re.compile(r"(?<![/.,])([¼-¾⅐-⅞↉])(?![\w/^.,]?[0-9])")
_SLASHES = re.compile("(?<=[0-9])[\u2044\u2215](?=[0-9])")

# Stands where markup was between two characters that no person reads as one number.
_BORDER = "\x1f"
_TAG = re.compile(
    r"</?([A-Za-z][\w-]*)(?:\s+[\w-]+=(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))*\s*/?>|<\|\w+\|>", re.IGNORECASE
)
_STRUCK, _ROOTS, _SCRIPTS = ("del", "s", "strike"), ("msqrt", "mroot"), ("sup", "sub")
_SUPERSCRIPT = re.compile(r"<sup>\s*([+-]?[0-9]+)\s*</sup>", re.IGNORECASE)
_EMPHASIS = [
    re.compile(rf"(?<![\w{mark}])({mark}{{1,3}})(?![\s{mark}])([^{mark}\n]*[^\s{mark}])\1(?![\w{mark}])")
    for mark in (r"\*", "_", "`")
]

_NUMBER = r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?"
_FRACTION_PART = rf"(?:\{{\s*(-?{_NUMBER})\s*\}}|\s*([0-9]))"
_FRACTION = re.compile(rf"\\[dtc]?frac{_FRACTION_PART}{_FRACTION_PART}")
_WRAPPER = re.compile(
    r"\\(?:boxed|fbox|mbox|text|textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mathsf|boldsymbol|emph|underline)"
    r"\s*\{([^{}\\]*)\}"
)
_SYMBOLS = {
    "times": "×", "cdot": "·", "div": "÷", "pm": "±", "mp": "∓", "pi": "π", "sqrt": "√", "infty": "∞",
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "lt": "<", "gt": ">", "neq": "≠", "ne": "≠",
    "approx": "≈", "sim": "~", "to": "→", "rightarrow": "→", "Rightarrow": "→", "implies": "→",
    "degree": "°", "textdollar": "$", "pounds": "£", "euro": "€",
    "left": "", "right": "", "displaystyle": "", "quad": " ", "qquad": " ",
}  # fmt: skip
# As pandoc tells it from money.
_MATH = re.compile(
    r"(?<![\\$\w])(\${1,2})(?![\s$])([^$]*[^\s$\\])\1(?![0-9$])|\\\(([^$\\]*(?:\\[^()][^$\\]*)*)\\\)|\\\[([^$\\]*(?:\\[^\[\]][^$\\]*)*)\\\]"
)
_LETTER_OF_MATH = re.compile(r"(?<=[0-9])[ ]?(?=(?:k|bn)(?![A-Za-z]))")
# What would run together with markup that is taken away: letters, digits, other markup; also behind a point or comma.
_ENDS, _BEGINS = re.compile(r"[\w})\]$*`][.,/:'’]?$"), re.compile(r"[.,/:'’]?[\w\\$*`]")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_BRACED_POWER = re.compile(r"\^\{\s*([+-]?[0-9]+)\s*\}")


def plain_text(text: str) -> str:
    """A text with one spelling of dashes, group spaces, fractions, powers, emphasis, HTML and the LaTeX of numbers."""
    text = _TAG.sub(_instead_of_tag, _SUPERSCRIPT.sub(r"^\1", html.unescape(text)))
    text = _DASHES.sub("-", _INVISIBLE.sub("", text)).replace("\N{FULLWIDTH PLUS SIGN}", "+")
    if any(mark in text for mark in "\\{$"):
        text = _without_latex(text)
    text = _plain_fractions(text)
    text = _POWER.sub(lambda power: "^" + power[0].translate(_FROM_SCRIPT), text)
    text = _GROUPED.sub(lambda group: group[0].replace(group[1], ","), text)
    for emphasis in _EMPHASIS:
        text = emphasis.sub(lambda marked: _apart(marked, marked[2]), text)
    return re.sub(rf"[ {_GROUP_SPACES}]+", " ", text)


def _instead_of_tag(tag: re.Match[str]) -> str:
    name = (tag[1] or "").lower()
    return "~~" if name in _STRUCK else "√" if name in _ROOTS else _BORDER if name in _SCRIPTS else " "


def _plain_fractions(text: str) -> str:
    """`½` and `³⁄₄` as 1/2 and 3/4, apart from the whole number before them."""
    text = _SCRIPT_FRACTION.sub(
        lambda part: _apart(part, f"{part[1].translate(_FROM_SCRIPT)}/{part[2].translate(_FROM_SCRIPT)}", " "), text
    )
    text = _VULGAR.sub(lambda part: _apart(part, unicodedata.normalize("NFKC", part[1]), " "), text)
    return _SLASHES.sub("/", text)


def _apart(match: re.Match[str], content: str, joint: str = _BORDER) -> str:
    """`content` in the place of its markup, kept from what beside it would make one number or word with it.

    Args:
        match: the markup.
        content: what it holds.
        joint: between a digit before it and one that it begins with.
    """
    before, after = (
        match.string[max(0, match.start() - 2) : match.start()],
        match.string[match.end() : match.end() + 2],
    )
    left = right = ""
    if _ENDS.search(before) and not content.startswith(" "):
        left = joint if content[:1] in "0123456789.,/" else " "
    if after.startswith("!") and joint == _BORDER:
        right = " "  # `**5**!` is an exclamation, `½!` is not read
    elif _BEGINS.match(after):
        right = _BORDER
    return f"{left}{content}{right}"


def _without_latex(text: str) -> str:
    text = _MATH.sub(_math, text)
    text = re.sub(r"\\[()\[\]\\]", " ", text).replace(r"\!", "").replace("{,}", ",")
    text = re.sub(r"\{?\\[,;:]\}?|\\ ", "\u2009", text)
    text = re.sub(r"\\([$%#&_])", r"\1", text)
    text = text.replace(r"\{", "(").replace(r"\}", ")")
    text = re.sub(r"\\not\s*=", "≠", text)
    text = re.sub(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})", "°", text)
    text = _COMMAND.sub(lambda command: _SYMBOLS.get(command[1], command[0]), text)
    while (inner := _WRAPPER.sub(_unwrapped, _FRACTION.sub(_fraction, _BRACED_POWER.sub(r"^\1", text)))) != text:
        text = inner
    return text


def _math(match: re.Match[str]) -> str:
    """What stands between the marks of a formula, where `3k` is a product."""
    content = match[2] or match[3] or match[4] or ""
    return _apart(match, _LETTER_OF_MATH.sub("·", content))


def _fraction(match: re.Match[str]) -> str:
    over, under = match[1] or match[2], match[3] or match[4]
    if under.startswith("-"):
        over, under = over[1:] if over.startswith("-") else f"-{over}", under[1:]
    return _apart(match, f"{over}/{under}", " ")


def _unwrapped(match: re.Match[str]) -> str:
    is_text = match[0].startswith((r"\text", r"\mbox"))
    return _apart(match, match[1] if is_text else _LETTER_OF_MATH.sub("·", match[1]))
