"""xVal's tokenizer: any fast tokenizer, with one token for every number."""

import re
from typing import Any

from tokenizers import AddedToken, Regex, normalizers
from transformers import PreTrainedTokenizerFast

from ...tokens.backend_tokenizer import copy_backend, keep_spaces, with_backend
from .decode import write_numbers
from .values import NUM_TOKEN, number_values

# The grammar of `ntl_hf.data.number_text` where it must decide, with a number for every digit of the text.
_SIGN = r"(?:(?<![\w)\]}%.$€£+\-])[\-\x{2212}])?"
# Within a longer run (1.0.3) there are integers alone: 1 and 0.3 would be written as 1.0.3, and 1.0 and 3 as 1.3.
_FRACTION = r"(?:(?<![0-9]\.)[0-9]+\.[0-9]+|(?<![\w.])\.[0-9]+)"
_EXPONENT = r"[eE][+\-]?[0-9]+(?!\w|\.[0-9])"
_NUMBER = rf"{_SIGN}(?:(?:{_FRACTION}|(?<![0-9]\.)[0-9]+){_EXPONENT}|{_FRACTION}(?!\.?[0-9])|[0-9]+)"
# Words and numbers that any tokenizer knows.
_PROBES = ("12", "a 7", "12 and 345 of 6", "the 5e")

_INSTEAD = "Take one with byte-level pieces, or T5's."


def xval_tokenizer(tokenizer: Any) -> PreTrainedTokenizerFast:
    """A tokenizer that writes every number as the one token `[NUM]` (xVal, Golkar et al. 2023, arXiv 2310.02989).

    The other pieces and their ids are the base tokenizer's. It is made of components of `tokenizers` alone, so a
    saved one is read by `AutoTokenizer.from_pretrained`. What the numbers are says `number_values`.

    A number is a run of digits 0-9, with decimals (`1.5`, `.5`), an exponent (`1e-5`, not `1e5x`) and a minus where no
    operand stands before it: `3-5` is 3 and 5. A plus, percent and currency signs stay text. Commas are no part of a
    number: `1,000` reads as 1 and 0. Versions and the like (`1.0.3`) read as integers. No digit stays text.

    A tokenizer like T5's, which splits at white space, drops spaces around added tokens; here it keeps them, and runs
    of white space become one space, as before.

    Args:
        tokenizer: a fast tokenizer; it is not changed.

    Raises:
        ValueError: a slow tokenizer, one that has `[NUM]`, added tokens with digits, or pieces that do not come back
            as text beside an added token.
    """
    backend = copy_backend(tokenizer)
    _check(tokenizer)
    keep_spaces(backend, re.escape(NUM_TOKEN))
    # First: what other rules make of superscripts or fractions is no digit of the text.
    rules = [normalizers.Replace(Regex(_NUMBER), NUM_TOKEN), backend.normalizer]
    backend.normalizer = normalizers.Sequence([rule for rule in rules if rule is not None])
    backend.add_tokens([AddedToken(NUM_TOKEN, normalized=True, special=False)])
    made = with_backend(tokenizer, backend)
    _probe(made, tokenizer)
    return made


def _check(tokenizer: Any) -> None:
    if NUM_TOKEN in tokenizer.get_vocab():
        raise ValueError(f"The tokenizer has a token {NUM_TOKEN} already; if it is xVal's, use it as it is.")
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.normalized]
    with_digits = [token for token in added if any(character in "0123456789" for character in token)]
    if with_digits:
        raise ValueError(
            f"The tokenizer has added tokens with digits ({', '.join(with_digits[:5])}), which would read as numbers. "
            "Take the base tokenizer, without them."
        )


def _probe(made: PreTrainedTokenizerFast, base: Any) -> None:
    """Raise `ValueError` if numbers do not come back as the base tokenizer brings them back."""
    kind, name = type(base).__name__, made.convert_ids_to_tokens(len(base))
    if name != NUM_TOKEN:
        raise ValueError(
            f"{kind} cannot be xVal's tokenizer: its normalizer makes {name!r} of {NUM_TOKEN}. {_INSTEAD}"
        )
    for text, (ids, values) in zip(_PROBES, number_values(made, _PROBES), strict=True):
        found = write_numbers(made, ids, values)
        ids = base(text, add_special_tokens=False)["input_ids"]
        # Without unknown words, of which nothing comes back.
        wanted = base.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        if found != wanted:
            raise ValueError(f"{kind} cannot be xVal's tokenizer: {text!r} comes back as {found!r}. {_INSTEAD}")
