"""What a number becomes when one of its tokens is replaced, read as text."""

import re
from fractions import Fraction


def value(text: str) -> Fraction:
    """The number that a text begins with; 0 where it begins with none."""
    match = re.match(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)", text)
    return Fraction(match.group()) if match else Fraction(0)


def replaced(tokens: list[str], index: int, new: str) -> Fraction:
    """The number with one token replaced; its own thousands separators are not looked at."""
    is_in_whole = "." not in tokens[: index + 1]
    if new == "," and is_in_whole and tokens[index] not in ("-", "."):
        return value("".join(tokens).replace(",", ""))  # a separator changes nothing
    return value("".join(new if i == index else token for i, token in enumerate(tokens) if i == index or token != ","))
