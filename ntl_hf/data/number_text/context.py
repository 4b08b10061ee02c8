"""What stands beside the one number of an answer and makes another number of it, or leaves it open which.

`x - 5`, `√4`, `half of 10`, `5 x`, `5 and a half`, `<5`: a person reads another number there than 5, or none. The
words are those of English; of other languages, the magnitudes.
"""

import re
import unicodedata

# What is looked at; longer than the longest phrase.
_REACH = 60
# Signs of mathematics that say nothing but "here it is".
_POINTERS = frozenset("=≈→⇒⟹⟶∴~|")
# Dashes and bars among them that may be a minus.
_OPERATORS = frozenset("+-*/^\\&%‰—―➖¯‾˗⁃─⸺")
_OPENING = " \t\n\r([{\"'“”‘’«`$€£¥\x1f"
_TOUCHING_AFTER = frozenset(" \t\n\r)]}\"'“”’»:;,.?!|*#>=<-—–…%°′″/$€£¥¢。，、")

_ONE_TO_TWENTY = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|zero|scores?|gross"
)
_SCALES = r"(?:hundred|thousand|(?:[mbtr]+|quadr|quint|sext)illion|lakh|crore|dozen|mille)\w*"
_COUNTS = rf"(?:{_ONE_TO_TWENTY}|half|{_SCALES})"
_SHARES = (
    "(?:half|halves|(?:third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|"
    r"\w*(?:teenth|tieth)|(?:hundred|thousand|[mbtr]+illion)th)s?)"
)
# Magnitudes of other languages, and short ones.
_FOREIGN = (
    r"(?:mil|mill|mio|mln|mn|mm|bil|tril|trn|mrd|bn|(?:mill|bill|trill|mili|mily|milj)(?:i[ao]|ard|o|ó|hã)\w*|mille|mila|"
    r"tausend|tsd|hundert|dutzend|duizend|tusen|docenas?|ribu|juta|triệu|nghìn|ngàn|tỷ|тыс\w*|млн|млрд|милли\w*)"
)
# Between a number and a number in words.
_LINK = r"and|&|or|to|through|point|nor|not|no|by|of|in|out[ ]of|past|per|times|i\.e\."
_JOINED = rf"(?:[\s,(-]*(?:{_LINK}|,|/|:)[\s-]*(?:an?[\s-]+)?|\s+(?:an?\s+)?|-)"
# Between a word that changes a number and the number.
_FILLED = r"(?:\s+(?:of|the|an?|about|around|nearly|my|his|her|its|our|your|their|\w+['’]s))*"

_CHANGING = (
    *("plus", "times", "mod", "modulo", "point", r"(?:divided|multiplied)\s+by", "power", r"multiples?", "binary"),
    *("than", "least", "most", "not", "nor", "but", "except", r"up\s+to", "under", "over", "above", "below", "beyond"),
    *(r"upwards\s+of", r"in\s+excess\s+of", r"as\s+(?:many|much)\s+as", r"exceed\w*", "shy", "hex", "octal"),
    *("twice", "thrice", "double", "triple", "quadruple", "root", "squared?", "cubed?", "sqrt", "cbrt", "factorial"),
    *("reciprocal", "inverse", "opposite", "abs", r"log\w*", "ln", "lg", "exp", "sin", "cos", "tan", "cot", r"arc\w+"),
)
_NEGATIVES = r"minus|neg|negativ\w*|négati\w+|menos|moins|meno|минус|负|負|マイナス"
_LABELS = r"step|question|problem|exercise|part|figure|table|section|chapter|page|example|equation|option|item|case"
_BEFORE = re.compile(
    "|".join(
        (
            rf"(?<!\w)(?:{'|'.join(_CHANGING)}|{_SHARES}|{_COUNTS}){_FILLED}{_JOINED}?[(\[{{]?$",
            rf"(?<!\w)(?:{_NEGATIVES})\W{{0,3}}$",
            rf"(?<!\w){_COUNTS}\s+\w+\s+(?:and|plus|or)\s+$",  # one hour and 30 minutes
            rf"(?<!\w)(?:{_LABELS})\s+$",
            r"n[’']t\s+$",  # "isn't 5"
            r"\w[(\[{]+\s*$",  # f(5)
            r"(?:[)\]}]|\}\s+)[(\[{]*$",  # (x)5, √{x} 5
            r"[(\[{][^()\[\]{}]*,\s*$",  # (x, 5)
            r"(?<![\w'’])[b-hj-z]\s+$",  # n x 5
            r"\\[A-Za-z]+\s*[{\[]?$",  # a command of LaTeX that is not known
            r"[!<>+*/^%|&-]=\s*$",  # != 5
            r"~~\s*$",  # struck out
        )
    ),
    re.IGNORECASE,
)
# Before a number with a sign, all other words may be what is subtracted from: `x -5`, `cost -5`.
_BEFORE_SIGN = re.compile(
    r"(?<!\w)(?:is|was|are|be|equals?|of|to|or|and|by|at|get|gets|gives?|gave|answer|result|value|about)\s+$"
    r"|(?:^|\n)\W*[A-E][).]\s+$|^\s*$|[^\w)\]}%\s]\s*$",
    re.IGNORECASE,
)

# A variable: any single letter but "a" and "I"; letters that are no word or unit.
_LETTER = r"(?:[b-zB-HJ-Z]|[^\W\d_a-zA-Z])(?!\w)(?!['’]|-[^\W\d]{2})"
_WORDS_OF_TWO = "am|an|as|at|be|by|do|he|if|in|is|it|me|my|no|of|on|or|pm|so|sq|to|up|us|we"
_LETTERS = rf"(?!(?:{_WORDS_OF_TWO})\b)[a-z]{{2}}(?!\w)"
_CHANGED_BY = (
    *("plus", "minus", "over", "mod", "modulo", "choose", "divided", "multiplied", "raised", "squared", "cubed", "pi"),
    *("factorial", "point", "base", "doubled", "tripled", "halved", r"(?:sin|cos|tan|ln|log|exp)\b"),
    r"to\s+the\s+(?:power|\w*(?:[0-9]|st|nd|rd|th))",
    *(r"\(?(?:in\s+)?(?:base|binary|octal|hex\w*)", r"(?:is|was)\s+(?:not|wrong|incorrect)", r"at\s+(?:least|most)"),
)
_MORE = "more|less|fewer|greater|larger|smaller|higher|lower|older|younger|above|below|over|under|up"
_AFTER = re.compile(
    "|".join(
        (
            rf"(?i:{_JOINED}(?:{_COUNTS}|{_SHARES}|{_FOREIGN}))(?!\w)",
            rf"(?i:[ ]\w+\s+(?:and|plus|or)\s+(?:an?\s+)?(?:{_COUNTS}|{_SHARES}))(?!\w)",  # 5 apples and a half
            rf"\s*(?i:{'|'.join(_CHANGED_BY)})(?!\w)",
            rf"(?i:(?:[ ]\w+)?[\s,(]*(?:(?:or|and)\s+(?:{_MORE})|negative|below|plus|minus))(?!\w)",
            rf"[ ]?\*?[ ]?(?:{_LETTER}|{_LETTERS})",  # 5 x, 5*x
            rf"\s+(?:times|or|and|\()\s*{_LETTER}",
            r"-[^\W\d](?!\w)",
            r"\s*->",
            r"\s+-\s*\w",  # 5 - x
            r"-(?!\w)",  # 5-, of a range that is cut off
            r"\s+[/·⋅]|//|/(?:\w(?!\w)|\W)",  # 5/x, and not 5/hour
            r"\s*[eE][+-]?[0-9]",
            r"\s*[0-9]",
            r"\s*\\[A-Za-z]",
            r"\.(?:[a-z]|\w(?!\w))",  # 5.x
            r"\s*\*+\s*[\w(]",
            r"\s+\(\s*\w\s*[+*/^-]",  # 5 (a + b)
            r"[({\[]",
            r"~~",
            r"\s*[十百千万萬亿億兆半]",
        )
    )
)
# Of the whole text: `5 (in millions)`.
_SCALE_ELSEWHERE = re.compile(r"(?<!\w)(?:thousand|million|billion|trillion)s?(?!\w)", re.IGNORECASE)
_GOLD_OR_PIXELS = re.compile(r" (?:gold|carats?|karats?|video|tv|resolution|monitor|screen|run|race)\b", re.IGNORECASE)
_RULE = re.compile(r"-{3,}|\*{3,}")


def is_changed(text: str, start: int, end: int, is_signed: bool) -> bool:
    """Whether what stands beside the number `text[start:end]` makes another one of it.

    Args:
        text: plain, see `plain_text`.
        start, end: of the number.
        is_signed: whether it begins with a sign.
    """
    number, before, after = text[start:end], text[max(0, start - _REACH) : start], text[end : end + _REACH]
    return (
        _is_enclosed(number, before, after)
        or _is_list_number(text[:start].rpartition("\n")[2], after)
        or ("." in number and after.startswith(("..", "…")))
        or (number.endswith("k") and _GOLD_OR_PIXELS.match(after) is not None)
        or _changes_before(before, is_signed)
        or _changes_after(after)
        or any(_SCALE_ELSEWHERE.search(part) for part in (text[:start], text[end:]))
    )


def _is_enclosed(number: str, before: str, after: str) -> bool:
    """`|-5|`; in brackets alone, `[1,200]` may be two numbers and `($5)` a loss; `(5, x)`."""
    opening, closing = before.rstrip()[-1:], after.lstrip()[:1]
    if opening == closing == "|":
        return before.endswith("|") and after.startswith("|")
    if not opening or opening not in "([{":
        return False
    return closing == "," or (bool(closing) and closing in ")]}" and bool(re.search("[,$€£]", number)))


def _is_list_number(line: str, after: str) -> bool:
    """`1. The answer is ...`"""
    return not line.strip() and re.match(r"[.)]\s+\w", after) is not None


def _changes_before(before: str, is_signed: bool) -> bool:
    if _BEFORE.search(before) or (is_signed and not _BEFORE_SIGN.search(before)):
        return True
    bare = before.rstrip(_OPENING)
    return bool(bare) and not _points(bare, before) and _is_operator(bare[-1])


def _changes_after(after: str) -> bool:
    if not after:
        return False
    if after[0] not in _TOUCHING_AFTER or _AFTER.match(after):
        return True
    first = after.lstrip()[:1]
    return bool(first) and (_is_symbol(first) or first == "→")


def _points(bare: str, before: str) -> bool:
    """Whether a text ends in an arrow, in the star of a list at the beginning of its line, or in a rule above it."""
    line = bare.rpartition("\n")[2].strip()
    is_rule = _RULE.fullmatch(line) is not None and "\n" in before[len(bare) :]
    return is_rule or bare.endswith(("->", "=>")) or line in ("*", "**")


def _is_operator(character: str) -> bool:
    return character in _OPERATORS or _is_symbol(character)


def _is_symbol(character: str) -> bool:
    # "Cf": a format that turns digits around, or an invisible "times".
    return unicodedata.category(character) in ("Sm", "Cf") and character not in _POINTERS
