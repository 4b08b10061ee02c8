r"""How numbers are spelled with the names of their tokens: a normalizer, as a list of regular expressions.

First, each digit gets a mark of its place, from the point outwards; then digits and marks turn into names. Marks are
characters that no text has, and a mark counts only after `.`, `-` or a digit: where a text does have such a character
there, a guard is put between for the time being. So every text survives.

Names stand in the text between other characters, and are found from the left. That no other name begins before one
and reaches into it rests on this: directly before a name stands no `_.`, no `_-`, and no `_` with a single digit.
"""

from collections.abc import Iterator

from tokenizers import Regex, normalizers

from ...tokens.placed_digits import POINT, SIGN

# Private use, plane 16: one mark a place from -37 to 37, one each for point and sign, and the guard.
_ONES = 0x10F100
_POINT_MARK, _SIGN_MARK, _GUARD = (chr(_ONES + i) for i in (100, 101, 102))
_MARKS = rf"[{chr(_ONES - 99)}-{_GUARD}]"
# The grammar of `ntl_hf.data.number_text` cannot run here: a normalizer has the regular expressions of `tokenizers`
# alone, and spells every digit, also where no number can be read. As there: what ends a value, and other signs. An
# underscore ends none here, for `_-` is no text that may stand before a name.
_OPERAND = r"[\p{L}\p{M}\p{N})\]}%.+\-]"


def _mark(place: int) -> str:
    return chr(_ONES + place)


def name_pattern(low: int, high: int) -> str:
    """A regular expression for the names of all number tokens."""
    return rf"_[0-9]_(?:{_places(low, high)})_|_\._|_-_"


def spelling_rules(low: int, high: int) -> list[normalizers.Replace]:
    """The normalizer's steps, for places from `low` to `high`; names as a whole text are left as they are."""
    rules = [
        (rf"(?<=[0-9.\-_])(?={_MARKS})", _GUARD),
        (r"(?<!\.)\.(?=[0-9])", "." + _POINT_MARK),
        *_fraction(low),
        *_integer(low, high),
        *_sign(),
        *_names(low, high),
        (rf"(?<=[0-9.\-_]){_GUARD}(?={_MARKS})", ""),
    ]
    return [normalizers.Replace(Regex(pattern), content) for pattern, content in rules]


def _fraction(low: int) -> Iterator[tuple[str, str]]:
    for place in range(-1, low - 1, -1):
        before = rf"\.{_POINT_MARK}" if place == -1 else rf"[0-9]{_mark(place + 1)}"
        yield rf"(?<={before}[0-9])", _mark(place)


def _integer(low: int, high: int) -> Iterator[tuple[str, str]]:
    of_fraction = rf"(?<![0-9.]{_MARKS}[0-9]*)"
    too_long = rf"(?<![0-9]{{{high + 2}}})"
    places = _places(low, high)
    of_name = rf"(?!(?<=\A_[0-9])_(?:{places})_\z)(?!(?<=\A_[0-9]_(?:{places}))_\z)"
    yield rf"(?<=[0-9])(?![0-9]){of_fraction}{too_long}{of_name}", _mark(0)
    for place in range(1, high + 1):
        yield rf"(?<=[0-9])(?=[0-9]{_mark(place - 1)})", _mark(place)


def _sign() -> Iterator[tuple[str, str]]:
    of_money = rf"(?<![0-9]{_MARKS}[ \u2581]?[$€£])"
    yield rf"(?<!{_OPERAND})(?<![0-9]{_MARKS}){of_money}-(?=[0-9]{_MARKS}|\.{_POINT_MARK})", "-" + _SIGN_MARK


def _names(low: int, high: int) -> Iterator[tuple[str, str]]:
    yield rf"(?=[0-9]{_MARKS}(?<!{_GUARD}))", "_"
    for place in range(low, high + 1):
        yield rf"(?<=[0-9]){_mark(place)}", f"_{place}_"
    # Without places after it, a point stays with its digits.
    yield rf"\.{_POINT_MARK}", POINT if low < 0 else "."
    yield rf"-{_SIGN_MARK}", SIGN


def _places(low: int, high: int) -> str:
    return "|".join(str(place) for place in range(low, high + 1))
