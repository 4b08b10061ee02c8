"""Where numbers stand in a text, read character by character: the slow twin of the scan over tokens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

# Stands for what has no label.
NOTHING = "\0"
MINUSES = ("-", "\N{MINUS SIGN}")
_OPERAND_ENDS = ")]}%.$€£+_" + "".join(MINUSES)
# Runs of digits with one point or comma between each two.
_CHAIN = re.compile("[0-9]+(?:[.,][0-9]+)*")


@dataclass(frozen=True)
class Number:
    """A number of a text: `text[start:end]`, with its sign."""

    start: int
    end: int
    text: str

    @property
    def is_negative(self) -> bool:
        return self.text[0] in MINUSES

    @property
    def whole(self) -> str:
        return _digits(self.text.partition(".")[0])

    @property
    def fraction(self) -> str:
        return _digits(self.text.partition(".")[2])

    @property
    def value(self) -> Fraction:
        size = Fraction(int(self.whole + self.fraction), 10 ** len(self.fraction))
        return -size if self.is_negative else size


def find(text: str) -> list[Number]:
    """The numbers of a text."""
    found = []
    for chain in _CHAIN.finditer(text):
        for start, end in _parts(text, chain.start(), chain.group()):
            if _is_sign(text, start - 1):
                start -= 1
            found.append(Number(start, end, text[start:end]))
    return found


def _parts(text: str, offset: int, chain: str) -> list[tuple[int, int]]:
    """A chain is one number, or falls apart where a point or comma does not belong to a number."""
    runs, marks = re.split("[.,]", chain), re.findall("[.,]", chain)
    is_led = offset > 0 and text[offset - 1] == "." and _is_open(text, offset - 2)
    before = [".", *marks] if is_led else [None, *marks]
    after = [*marks, None]
    joined = [mark == "." and before[i] != "." and after[i + 1] != "." for i, mark in enumerate(marks)]
    for i, mark in enumerate(marks):
        if mark == ",":
            joined[i] = before[i] != "." and len(runs[i]) <= 3 and len(runs[i + 1]) == 3
    parts, start = [], offset - (1 if is_led and after[0] != "." else 0)
    end = offset
    for i, run in enumerate(runs):
        end += len(run)
        if i == len(marks) or not joined[i]:
            parts.append((start, end))
            start = end + 1
        end += 1
    return parts


def _is_open(text: str, index: int) -> bool:
    """Whether a point may begin a number after this character."""
    return index < 0 or text[index].isspace() or text[index] in (NOTHING, *MINUSES)


def _is_sign(text: str, index: int) -> bool:
    if index < 0 or text[index] not in MINUSES:
        return False
    return index == 0 or not (text[index - 1].isalnum() or text[index - 1] in _OPERAND_ENDS)


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text)


Span = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """What is known of one token of a number; see `NumberLayout`."""

    number: int
    digits_before: int
    width: int
    whole_digits: int
    fraction_digits: int
    in_fraction: bool
    is_negative: bool
    place: int
    prefix: Fraction
    whole: Fraction
    total: Fraction


def layout(text: str, spans: Sequence[Span | None]) -> list[Place | None]:
    """One entry a token: `spans` says which characters it is, None where there is no label."""
    labelled = [NOTHING] * len(text)
    for span in spans:
        if span is not None:
            labelled[slice(*span)] = text[slice(*span)]
    seen = "".join(labelled)
    owners = {i: number for number in find(seen) for i in range(number.start, number.end)}
    places: list[Place | None] = [None] * len(spans)
    first: dict[Number, int] = {}
    for i, span in enumerate(spans):
        inside = [] if span is None else [j for j in range(*span) if j in owners]
        if inside:
            number = owners[inside[0]]
            places[i] = _place(first.setdefault(number, i), number, seen, inside)
    return places


def _place(first: int, number: Number, text: str, inside: list[int]) -> Place:
    before, own = text[number.start : inside[0]], text[inside[0] : inside[-1] + 1]
    unit = 10 ** len(number.whole)
    digits_before = len(_digits(before))
    # "the whole number's places": what has been read fills them up from the left.
    read = Fraction(int(_digits(before) or 0), 10**digits_before)
    width = len(_digits(own))
    return Place(
        number=first,
        digits_before=digits_before,
        width=width,
        whole_digits=len(number.whole),
        fraction_digits=len(number.fraction),
        in_fraction="." in before + own,
        is_negative=number.is_negative,
        place=len(number.whole) - digits_before - width,
        prefix=read,
        whole=Fraction(int(number.whole or 0), unit),
        total=abs(number.value) / unit,
    )
