"""What stands beside the one number of an answer and makes another number of it, or leaves it open which.

`x - 5`, `√4`, `half of 10`, `5 x`, `5 and a half`, `<5`: a person reads another number there than 5, or none.
"""

import re
import unicodedata

# What is looked at; longer than the longest phrase.
_REACH = 60
# Signs of mathematics that say nothing but "here it is".
_POINTERS = frozenset("=≈→⇒⟹⟶~|")
_OPERATORS = frozenset("+-*/^\\&%‰—―")
_OPENING = " \t\n\r([{\"'“”‘’«`$€£¥"
_TOUCHING_AFTER = frozenset(" \t\n\r)]}\"'“”’»:;,.?!|*#~>=<-—–…%°′″/$€£¥¢")

_COUNTS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|half|zero|"
    r"(?:hundred|thousand|(?:[mbtr]+|quadr)illion|lakh|crore|dozen|score|gross)\w*"
)
_SHARES = (
    "half|halves|(?:third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|"
    r"\w*(?:teenth|tieth)|(?:hundred|thousand|[mbtr]+illion)th)s?"
)
_JOINED = r"(?:\s*(?:and|or|to|through|point|nor|by|-|,|/)\s*(?:a\s+)?|\s+|-)"
# "Millionen", "milliards", "mio", "mil": magnitudes of other languages, and short ones.
_FOREIGN = r"(?:mil|mill|mio|mln|mn|bil|tril|mrd|bn|(?:mill|bill|trill|mili)(?:i[ao]|ard|one|ón|hã)\w*|tausend|mille)"
# Followed by the number, or by "of" or "the" and the number.
_CHANGING = (
    *(
        "minus",
        "plus",
        "negative",
        "times",
        "mod",
        "modulo",
        "point",
        r"(?:divided|multiplied)\s+by",
        "power",
        r"multiples?",
    ),
    *("than", "least", "most", "not", "nor", "except", r"up\s+to", "under", "over", "above", "below", "beyond"),
    *("twice", "thrice", "double", "triple", "quadruple", "root", "squared?", "cubed?", "sqrt", "cbrt", "factorial"),
    *("reciprocal", "inverse", "opposite", "abs", r"log\w*", "ln", "lg", "exp", "sin", "cos", "tan", "cot", r"arc\w+"),
)
_BEFORE = re.compile(
    "|".join(
        (
            rf"(?<!\w)(?:{'|'.join(_CHANGING)}|{_SHARES}|{_COUNTS})(?:\s+(?:of|the|a))*{_JOINED}?[(\[{{]?$",
            r"n[’']t\s+$",  # "isn't 5"
            r"\w[(\[{]+\s*$",  # f(5)
            r"[)\]}][(\[{]*$",  # (x)5
            r"\\[A-Za-z]+\s*[{\[]?$",  # a command of LaTeX that is not known
            r"[!<>+*/-]=\s*$",  # != 5
            r"~~\s*$",  # struck out
        )
    ),
    re.IGNORECASE,
)
# `x -5` is no -5.
_OPERAND_BEFORE_SIGN = re.compile(r"(?:(?<!\w)(?:[b-hj-z]|\w*[0-9]\w*)|[)\]}%])\s+$", re.IGNORECASE)

# A variable: any single letter but "a" and "I".
_LETTER = r"(?:[b-hj-zB-HJ-Z]|[^\W\d_a-zA-Z])(?!\w)(?!['’])"
_CHANGED_BY = (
    *("plus", "minus", "over", "mod", "modulo", "choose", "divided", "multiplied", "raised", "squared", "cubed"),
    *("factorial", "point", "base", r"to\s+(?:the|a)", r"in\s+(?:binary|octal|hex\w*)"),
    r"or\s+(?:more|less|fewer|greater|higher|lower|above|below)",
)
_AFTER = re.compile(
    "|".join(
        (
            rf"(?i:{_JOINED}(?:{_COUNTS}|{_SHARES}|{_FOREIGN}))(?!\w)",
            rf"\s*(?i:{'|'.join(_CHANGED_BY)})(?!\w)",
            rf"[ ]?\*?[ ]?{_LETTER}",  # 5 x, 5*x
            rf"\s+(?:times|-)\s+{_LETTER}",
            rf"-{_LETTER}",
            r"-(?!\w|>)",  # 5-, of a range that is cut off
            r"/(?:\w(?!\w)|\W)",  # 5/x, and not 5/hour
            r"\s*[eE][+-]?[0-9]",
            r"\s*[0-9]",
            r"\s*\\[A-Za-z]",
            r"\.(?:[a-z]|\w(?!\w))",  # 5.x
            r"\s*\*\s*[\w(]",
            r"[({\[]",
            r"~~",
            r"\s*[十百千万萬亿億兆半]",
        )
    )
)


def is_changed(text: str, start: int, end: int, is_signed: bool) -> bool:
    """Whether what stands beside the number `text[start:end]` makes another one of it.

    Args:
        text: plain, see `plain_text`.
        start, end: of the number.
        is_signed: whether it begins with a sign.
    """
    before, after = text[max(0, start - _REACH) : start], text[end : end + _REACH]
    is_absolute = before.endswith("|") and after.startswith("|")
    goes_on = "." in text[start:end] and after.startswith(("..", "…"))
    return is_absolute or goes_on or _changes_before(before, is_signed) or _changes_after(after)


def _changes_before(before: str, is_signed: bool) -> bool:
    if _BEFORE.search(before) or (is_signed and _OPERAND_BEFORE_SIGN.search(before)):
        return True
    bare = before.rstrip(_OPENING)
    return bool(bare) and not _points(bare) and _is_operator(bare[-1])


def _changes_after(after: str) -> bool:
    if not after:
        return False
    if after[0] not in _TOUCHING_AFTER or _AFTER.match(after):
        return True
    first = after.lstrip()[:1]
    return bool(first) and _is_symbol(first) and not after.lstrip().startswith("->")


def _points(text: str) -> bool:
    """Whether a text ends in an arrow, or in the star of a list at the beginning of its line."""
    return text.endswith(("->", "=>")) or text.rpartition("\n")[2].strip() in ("*", "**")


def _is_operator(character: str) -> bool:
    return character in _OPERATORS or _is_symbol(character)


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) == "Sm" and character not in _POINTERS
