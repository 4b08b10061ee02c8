"""What a token is in the writing of numbers, by its string alone."""

import re
from enum import IntEnum

SPACE_MARKS = ("Ġ", "▁", " ")
_SPACES = ("Ġ", "▁", " ", "Ċ", "ĉ", "\n", "\t", "\r")
# "\u2212", the minus sign, also as byte-level tokenizers spell its three bytes.
_SIGNS = {".": "POINT", ",": "COMMA", "-": "MINUS", "\N{MINUS SIGN}": "MINUS", "âĪĴ": "MINUS"}
# After these a minus is a subtraction, a range or a hyphen, as in `number_text`.
_OPERAND_ENDS = tuple(")]}%.$€£+-_")
# A sign in one token with what opens it: `=-5`, `(-5`. Whatever stands before, it is no subtraction.
_OPENED_MINUS = re.compile(r"[=(\[{,:;<>*/|&'\"]+(?:-|âĪĴ|−)")
_MARKUP = re.compile(r"<.*>")
_ASCII_DIGIT = re.compile("[0-9]")


class Kind(IntEnum):
    """What a token is for the number around it."""

    OTHER = 0
    DIGITS = 1  # a number token
    POINT = 2
    COMMA = 3
    MINUS = 4
    SPACE = 5  # ends in white space
    OPERAND = 6  # ends in what a minus would be subtracted from
    OPAQUE = 7  # has digits, and is no number token
    NONE = 8  # there is no label


# Of a Regression Transformer, which has the digit `_0_0_`. Elsewhere they are text: GPT-2 has a piece `_-_`.
PLACED_DIGIT, PLACED_SIGNS = "_0_0_", {"_._": Kind.POINT, "_-_": Kind.MINUS}


def kind_of(token: str) -> Kind:
    """The kind of a token that is not a number token."""
    bare = token[1:] if token[:1] in SPACE_MARKS else token
    if bare in _SIGNS:
        return Kind[_SIGNS[bare]]
    if _OPENED_MINUS.fullmatch(bare):
        return Kind.MINUS
    if token.endswith(_SPACES):
        return Kind.SPACE
    # `<0x0A>`, `<unused1>` and the like are no text.
    if _MARKUP.fullmatch(token):
        return Kind.OTHER
    if _ASCII_DIGIT.search(token):
        return Kind.OPAQUE
    return Kind.OPERAND if token[-1:].isalnum() or token.endswith(_OPERAND_ENDS) else Kind.OTHER


def begins_word(token: str) -> bool:
    """Whether a token carries the space before it, or what else separates it from the text before."""
    return token[:1] in SPACE_MARKS or _OPENED_MINUS.fullmatch(token) is not None
