"""The Regression Transformer's tokenizer: numbers as tokens `_d_p_`, the digit d at the decimal place p.

Numbers are spelled with the names of their tokens by a normalizer, a list of regular expressions. First, each digit
gets a mark of its place, from the point outwards; then digits and marks turn into names. Marks are characters that no
text has, and a mark counts only after `.`, `-` or a digit: where a text does have such a character there, a guard is
put between for the time being. So every text survives.

Names stand in the text between other characters, and are found from the left. That no other name begins before one
and reaches into it rests on this: directly before a name stands no `_.`, no `_-`, and no `_` with a single digit.
"""

import re
from collections.abc import Iterator
from typing import Any

from tokenizers import AddedToken, Regex, decoders, normalizers
from transformers import PreTrainedTokenizerFast

from ...tokens.backend_tokenizer import (
    add_normalizers,
    added_with_digits,
    check_round_trip,
    copy_backend,
    keep_spaces,
    with_backend,
)
from ...tokens.placed_digits import POINT, SIGN, number_token_names

# What float32 holds: 9e37, but not 9e38.
MOST_PLACES = 37
_PROBES = ("12.3", "in 5 of 67", "a -5 b", "x3 1.25", "3-5 and 1 2")
# Private use, plane 16: one mark a place from -37 to 37, one each for point and sign, and the guard.
_ONES = 0x10F100
_POINT_MARK, _SIGN_MARK, _GUARD = (chr(_ONES + i) for i in (100, 101, 102))
_MARKS = rf"[{chr(_ONES - 99)}-{_GUARD}]"
# The grammar of `ntl_hf.data.number_text` cannot run here: a normalizer has the regular expressions of `tokenizers`
# alone, and spells every digit, also where no number can be read. As there: what ends a value, and other signs. An
# underscore ends none here, for `_-` is no text that may stand before a name.
_OPERAND = r"[\p{L}\p{M}\p{N})\]}%.+\-]"


def regression_transformer_tokenizer(tokenizer: Any, places: tuple[int, int] = (-9, 12)) -> PreTrainedTokenizerFast:
    """A variant of a fast tokenizer that writes numbers as in the Regression Transformer (Born and Manica 2023).

    `12.3` becomes `_1_1_`, `_2_0_`, `_._`, `_3_-1_`, as in the README of github.com/IBM/regression-transformer: digit
    and decimal place of each, `_._` for the point and `_-_` for a minus sign. The tokens are appended to the
    vocabulary (see `NumberTokens`), so the model needs `resize_token_embeddings(len(result))`. Text without digits
    keeps its ids.

    - Read are ASCII digits, wherever they stand (`x2` too). A comma ends a run: `1,000` is 1 and 000. In `1.2.3`, 2
      and 3 are both tenths, while `1..5` is 1 and 5.
    - A minus is a sign where it touches the number and no operand stands before it: `3-5`, `x-3`, `(a)-5` and
      `50%-60%` keep the base's piece. A minus after an underscore is a sign.
    - A run of more digits than there are places before the point stays in the base's pieces as a whole; after the
      point, the digits beyond the lowest place do. `out_of_range_number` finds such numbers.

    Text comes back from the ids as from the base tokenizer's: exactly from byte-level BPE, while T5's collapses white
    space and loses unknown characters. The exceptions: `_._` and `_-_` in a text read as the point and the sign and
    come back as `.` and `-`, and so does a text that is the name of a digit token as a whole (`_5_0_`, as `5`).

    The given tokenizer is not changed. A saved result is read by `AutoTokenizer`, with the limits of
    `ntl_hf.tokens.digit_tokenizer.split_digits`.

    Args:
        tokenizer: any tokenizer with a `backend_tokenizer`, before digit tokens are added to it.
        places: the lowest and the highest decimal place, both included.

    Raises:
        ValueError: the places make no sense, or the tokenizer is a slow one, has such tokens or added digit tokens
            already, or has a decoder that would put spaces between digits (WordPiece).
    """
    low, high = places
    _check_places(low, high)
    backend = copy_backend(tokenizer)
    names = number_token_names(low, high)
    _check_vocab(tokenizer, names)
    keep_spaces(backend, name_pattern(low, high))
    add_normalizers(backend, spelling_rules(low, high))
    # What the rules write is found after them: a name must be its own normal form.
    backend.add_tokens([AddedToken(name, normalized=True) for name in names])
    backend.decoder = decoders.Sequence([*_name_decoders(low, high), *filter(None, [backend.decoder])])
    changed = with_backend(tokenizer, backend)
    check_round_trip(changed, tokenizer, _PROBES)
    return changed


def _check_places(low: int, high: int) -> None:
    if not -MOST_PLACES <= low <= 0 <= high <= MOST_PLACES:
        raise ValueError(
            f"`places` are {low} to {high}; they must contain 0, the ones, and reach at most {MOST_PLACES} to each "
            "side."
        )


def _check_vocab(tokenizer: Any, names: list[str]) -> None:
    vocab = tokenizer.get_vocab()
    if any(name in vocab for name in names if name not in (POINT, SIGN)):
        raise ValueError(
            "The tokenizer has tokens named like the Regression Transformer's (`_1_0_`) already. If it was made by "
            "`regression_transformer_tokenizer`, use it as it is; otherwise give its base tokenizer."
        )
    with_digits = added_with_digits(tokenizer)
    if with_digits:
        raise ValueError(
            f"The tokenizer has added tokens with digits ({with_digits[:5]}), which the new tokens would take apart. "
            "Give the tokenizer as it was before `add_digit_tokens`."
        )


def _name_decoders(low: int, high: int) -> list[Any]:
    """The decoder's steps that turn names into text, before the base's own."""
    written = {rf"_{digit}_(?:{_places(low, high)})_": str(digit) for digit in range(10)}
    signs = {re.escape(POINT): ".", re.escape(SIGN): "-"}
    return [decoders.Replace(Regex(rf"\A{name}\z"), text) for name, text in {**written, **signs}.items()]


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
