"""xVal's text side: a tokenizer with one token for every number, the numbers behind its tokens, and the way back."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Regex, normalizers
from transformers import PreTrainedTokenizerFast

from ...data import TextEncoder
from ...tokens.backend_tokenizer import added_with_digits, copy_backend, keep_spaces, with_backend
from ..scaling import LARGEST

NUM_TOKEN = "[NUM]"
# Which characters are a number has been decided by the tokenizer; this only finds where the last one begins.
_AT_END = re.compile(r"[-\u2212]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
# The grammar of `ntl_hf.data.number_text` where it must decide, with a number for every digit of the text.
_SIGN = r"(?:(?<![\w)\]}%.$€£+\-])[\-\x{2212}])?"
# Within a longer run (1.0.3) there are integers alone: 1 and 0.3 would be written as 1.0.3, and 1.0 and 3 as 1.3.
_FRACTION = r"(?:(?<![0-9]\.)[0-9]+\.[0-9]+|(?<![\w.])\.[0-9]+)"
_EXPONENT = r"[eE][+\-]?[0-9]+(?!\w|\.[0-9])"
_NUMBER = rf"{_SIGN}(?:(?:{_FRACTION}|(?<![0-9]\.)[0-9]+){_EXPONENT}|{_FRACTION}(?!\.?[0-9])|[0-9]+)"
# Words and numbers that any tokenizer knows.
_PROBES = ("12", "a 7", "12 and 345 of 6", "the 5e")
_INSTEAD = "Take one with byte-level pieces, or T5's."


def number_values(tokenizer: Any, texts: Sequence[str]) -> list[tuple[list[int], list[float]]]:
    """Token ids of texts, without special tokens around them, and the number behind each `[NUM]`, in order.

    Args:
        tokenizer: from `xval_tokenizer`.
        texts: the texts.

    Raises:
        ValueError: a number is beyond float32, or a text contains `[NUM]` itself, whose value nobody knows.
    """
    if not texts:
        return []
    num_id = num_token_id(tokenizer)
    encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    rows = zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return [(ids, list(_values(text, ids, offsets, num_id))) for text, ids, offsets in rows]


def num_token_id(tokenizer: Any) -> int:
    """The id of `[NUM]`.

    Raises:
        ValueError: there is none.
    """
    num_id = tokenizer.convert_tokens_to_ids(NUM_TOKEN)
    # Of an unknown token, it is that of `unk_token`. The whole vocabulary takes long to read.
    if num_id is None or tokenizer.convert_ids_to_tokens(num_id) != NUM_TOKEN:
        raise ValueError(f"The tokenizer has no token {NUM_TOKEN}; make one with `xval_tokenizer(tokenizer)`.")
    return int(num_id)


def _values(text: str, ids: list[int], offsets: Iterable[tuple[int, int]], num_id: int) -> Iterable[float]:
    previous = 0
    for token_id, (_, end) in zip(ids, offsets, strict=True):
        if token_id == num_id:
            # A replaced span is reported by its last character; it begins after the token before it.
            yield _read(text[previous:end], text)
        previous = max(previous, end)


def _read(span: str, text: str) -> float:
    match = _AT_END.search(span)
    if match is None:
        raise ValueError(f"{text[:80]!r} contains {NUM_TOKEN}, whose value is unknown; take it out of the text.")
    value = float(match[0].replace("\u2212", "-"))
    if abs(value) > LARGEST:
        raise ValueError(f"A number in {text[:80]!r} is beyond float32 ({LARGEST:.2g}); round it or remove the row.")
    return value


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
    with_digits = added_with_digits(tokenizer)
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


class XValEncoder(TextEncoder):
    """`TextEncoder` for a tokenizer of `xval_tokenizer`: rows have `number_values` and `number_labels` as well.

    `number_values`: the number behind each token of `input_ids`, 1.0 where it is not `[NUM]`. `number_labels`: the
    number behind each label, 0.0 where it is not `[NUM]`. What `max_length` cuts off has none.

    Raises:
        ValueError: as of `TextEncoder`; while encoding, a number beyond float32, or a text with a literal `[NUM]`.
    """

    def encode_prompts_with_values(self, prompts: list[str]) -> list[dict[str, list[Any]]]:
        """Of prompts to be answered, `input_ids` as `encode_prompts` makes them, and `number_values`."""
        num_id = num_token_id(self.tokenizer)
        rows = zip(self.encode_prompts(prompts), self._numbers(prompts), strict=True)
        return [{"input_ids": ids, "number_values": _placed(ids, num_id, values, 1.0)} for ids, values in rows]

    def _encode_batch(self, *columns: list[str]) -> dict[str, list[Any]]:
        rows = super()._encode_batch(*columns)
        num_id = num_token_id(self.tokenizer)
        # Plain text is a completion of nothing.
        completions = self._numbers(columns[-1])
        prompts = self._numbers(columns[0]) if len(columns) == 2 else [[]] * len(completions)
        pairs = list(zip(prompts, completions, strict=True))
        read = prompts if self.is_encoder_decoder else [before + after for before, after in pairs]
        rows["number_values"] = [
            _placed(ids, num_id, values, 1.0) for ids, values in zip(rows["input_ids"], read, strict=True)
        ]
        rows["number_labels"] = [
            _placed(ids, num_id, values, 0.0) for ids, values in zip(rows["labels"], completions, strict=True)
        ]
        return rows

    def _numbers(self, texts: list[str]) -> list[list[float]]:
        return [values for _, values in number_values(self.tokenizer, texts)]


def _placed(ids: Sequence[int], num_id: int, values: list[float], other: float) -> list[float]:
    """The values in order at the `[NUM]` of `ids`, and `other` elsewhere."""
    rest = iter(values)
    return [next(rest) if token_id == num_id else other for token_id in ids]


def write_numbers(tokenizer: Any, ids: Sequence[int], values: Sequence[float]) -> str:
    """Token ids and numbers to text, special tokens left out.

    A number is written as the shortest decimal that is the same float32: 12.3, integers without a point, never an
    exponent. So a text comes back equal but for how its numbers were written: 007 as 7, 1.50 as 1.5, -0 as 0, 1e3 as
    1000, and with the precision of float32 (about seven digits: 123456789 as 123456790). Two numbers in a row, as a
    model may write but no text has them, get a space between them.

    Args:
        tokenizer: from `xval_tokenizer`.
        ids: token ids.
        values: the number of each `[NUM]` among them, in order.

    Raises:
        ValueError: as many values as `[NUM]` are needed, and they must be finite.
    """
    num_id = num_token_id(tokenizer)
    places = [i for i, token_id in enumerate(ids) if token_id == num_id]
    if len(places) != len(values):
        raise ValueError(f"There are {len(places)} tokens {NUM_TOKEN} and {len(values)} values; each needs its own.")
    text = _decode(tokenizer, ids)
    parts = text.split(NUM_TOKEN)
    if len(parts) != len(places) + 1:
        parts = _parts_between(tokenizer, ids, places, text)
    written = parts[0]
    for i, (value, part) in enumerate(zip(values, parts[1:], strict=True)):
        follows_number = i > 0 and not parts[i]
        written += f"{' ' if follows_number else ''}{write_number(value)}{part}"
    return written


def write_number(value: float) -> str:
    """The shortest decimal that is the same float32, without an exponent.

    Raises:
        ValueError: the value is not finite as float32.
    """
    if not math.isfinite(value) or not np.isfinite(single := np.float32(value)):
        raise ValueError(f"The value {value} of a {NUM_TOKEN} is not a finite float32, and cannot be written.")
    return np.format_float_positional(single, trim="-") if single else "0"


def _decode(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _parts_between(tokenizer: Any, ids: Sequence[int], places: list[int], text: str) -> list[str]:
    """The text around each `[NUM]`, where other tokens spell `[NUM]` as well."""
    pieces = text.split(NUM_TOKEN)
    # Up to and with the k-th number there are as many as its place in the whole text.
    ends = [_decode(tokenizer, ids[: place + 1]).count(NUM_TOKEN) for place in places]
    bounds = zip([0, *ends], [*ends, len(pieces)], strict=True)
    return [NUM_TOKEN.join(pieces[start:end]) for start, end in bounds]
