"""The Regression Transformer's tokenizer: numbers as tokens `_d_p_`, the digit d at the decimal place p."""

import re
from typing import Any

from tokenizers import AddedToken, Regex, decoders
from transformers import PreTrainedTokenizerFast

from ...tokens.backend_tokenizer import add_normalizers, check_round_trip, copy_backend, keep_spaces, with_backend
from ...tokens.placed_digits import POINT, SIGN, number_token_names
from .spelling import name_pattern, spelling_rules

# What float32 holds: 9e37, but not 9e38.
_MOST_PLACES = 37
_PROBES = ("12.3", "in 5 of 67", "a -5 b", "x3 1.25", "3-5 and 1 2")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?|(?<!\.)\.[0-9]+")


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


def out_of_range_number(text: str, places: tuple[int, int]) -> str | None:
    """The first number of a text with digits beyond `places`, as written, or None: all digits have their place.

    Leading and trailing zeros count, since they are written too. Commas separate numbers (`1,000` is two).
    """
    low, high = places
    for match in _NUMBER.finditer(text):
        before, _, after = match[0].partition(".")
        if len(before) > high + 1 or len(after) > -low:
            return match[0]
    return None


def _check_places(low: int, high: int) -> None:
    if not -_MOST_PLACES <= low <= 0 <= high <= _MOST_PLACES:
        raise ValueError(
            f"`places` are {low} to {high}; they must contain 0, the ones, and reach at most {_MOST_PLACES} to each "
            "side."
        )


def _check_vocab(tokenizer: Any, names: list[str]) -> None:
    vocab = tokenizer.get_vocab()
    if any(name in vocab for name in names if name not in (POINT, SIGN)):
        raise ValueError(
            "The tokenizer has tokens named like the Regression Transformer's (`_1_0_`) already. If it was made by "
            "`regression_transformer_tokenizer`, use it as it is; otherwise give its base tokenizer."
        )
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.normalized]
    with_digits = [token for token in added if re.search("[0-9]", token)]
    if with_digits:
        raise ValueError(
            f"The tokenizer has added tokens with digits ({with_digits[:5]}), which the new tokens would take apart. "
            "Give the tokenizer as it was before `add_digit_tokens`."
        )


def _name_decoders(low: int, high: int) -> list[Any]:
    """The decoder's steps that turn names into text, before the base's own."""
    places = "|".join(str(place) for place in range(low, high + 1))
    written = {rf"_{digit}_(?:{places})_": str(digit) for digit in range(10)}
    signs = {re.escape(POINT): ".", re.escape(SIGN): "-"}
    return [decoders.Replace(Regex(rf"\A{name}\z"), text) for name, text in {**written, **signs}.items()]
