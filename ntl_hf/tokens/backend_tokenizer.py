"""Variants of fast tokenizers: their parts taken out, changed and put together again, as `tokenizers` components.

What is changed lives in `tokenizer.json`, so that `AutoTokenizer` reads a saved variant back without this library.
"""

import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

_KEPT = (
    *("model_max_length", "padding_side", "truncation_side", "model_input_names", "chat_template"),
    *("clean_up_tokenization_spaces", "split_special_tokens", "response_template", "chat_control_tokens"),
)


def copy_backend(tokenizer: Any) -> Tokenizer:
    """A copy of a fast tokenizer's backend, without the padding and truncation that its last call has left there.

    Raises:
        ValueError: the tokenizer is a slow one, without a `backend_tokenizer`.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(
            f"The tokenizer ({type(tokenizer).__name__}) is not a fast one: it has no `backend_tokenizer` to change. "
            "Use the model's fast tokenizer, as `AutoTokenizer.from_pretrained` gives it."
        )
    backend = Tokenizer.from_str(backend.to_str())
    backend.no_padding()
    backend.no_truncation()
    return backend


def with_backend(tokenizer: Any, backend: Tokenizer) -> PreTrainedTokenizerFast:
    """A plain `PreTrainedTokenizerFast` of a changed backend, with the special tokens and settings of `tokenizer`.

    Not of the tokenizer's own class: `T5Tokenizer` and others build their pre-tokenizer anew when they are loaded.
    `name_or_path` is left empty, since what is found there is not this tokenizer.
    """
    named = tokenizer.special_tokens_map
    standard = PreTrainedTokenizerFast.SPECIAL_TOKENS_ATTRIBUTES
    settings = {name: getattr(tokenizer, name) for name in _KEPT if getattr(tokenizer, name, None) is not None}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        extra_special_tokens=list(tokenizer.extra_special_tokens),
        model_specific_special_tokens={name: token for name, token in named.items() if name not in standard},
        **{name: token for name, token in named.items() if name in standard},
        **settings,
    )


def added_with_digits(tokenizer: Any) -> list[str]:
    """The added tokens with digits that are found in normalized text, where the variant writes numbers otherwise."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.normalized]
    return [token for token in added if re.search("[0-9]", token)]


def add_normalizers(backend: Tokenizer, steps: Sequence[Any]) -> None:
    """Let the normalizer's own steps be followed by others; in place."""
    before = [] if backend.normalizer is None else [backend.normalizer]
    backend.normalizer = normalizers.Sequence([*before, *steps])


def keep_spaces(backend: Tokenizer, names: str) -> None:
    """Let a backend keep the spaces around added tokens; in place. Ordinary text gets the ids that it had.

    SentencePiece's mark is put before each stretch of text between added tokens (`Metaspace`, `always`; T5 drops all
    white space before that), so that `in 5 of` and `in5of` look alike where 5 is an added token. Here the normalizer
    writes the marks, once for the text between special tokens, and added tokens with `normalized=True` are found
    after that. A number that begins a text has a mark before it too. Other tokenizers are left as they are.

    Args:
        backend: to be changed.
        names: a regular expression for the names of the added tokens to come, which must be their own normal form.
    """
    steps = _steps(backend.pre_tokenizer)
    drops_white_space = bool(steps) and isinstance(steps[0], pre_tokenizers.WhitespaceSplit)
    metaspace, *after = steps[drops_white_space:] or [None]
    if not isinstance(metaspace, pre_tokenizers.Metaspace) or metaspace.prepend_scheme != "always":
        return
    mark = metaspace.replacement
    without_prefix = pre_tokenizers.Metaspace(mark, prepend_scheme="never", split=metaspace.split)
    backend.pre_tokenizer = pre_tokenizers.Sequence([without_prefix, *after])
    present = [token.content for token in backend.get_added_tokens_decoder().values() if token.normalized]
    add_normalizers(backend, _marks(mark, drops_white_space, "|".join([names, *map(re.escape, present)])))


def _steps(pre_tokenizer: Any) -> list[Any]:
    """The steps of a pre-tokenizer, which is a sequence, a single step or None."""
    is_sequence = isinstance(pre_tokenizer, pre_tokenizers.Sequence)
    return list(pre_tokenizer) if is_sequence else [pre_tokenizer]


def _marks(mark: str, drops_white_space: bool, unmarked: str) -> list[Any]:
    """The normalizer's steps that do what the two pre-tokenizers did."""
    dropped = [rf"\A\s+|\s+\z|\s+(?={mark})"] if drops_white_space else []
    return [
        *(normalizers.Replace(Regex(pattern), "") for pattern in dropped),
        normalizers.Replace(Regex(r"\s+" if drops_white_space else " "), mark),
        normalizers.Replace(Regex(rf"\A(?=[^{mark}])(?!(?:{unmarked})\z)"), mark),
    ]


def check_round_trip(tokenizer: Any, base: Any, probes: Sequence[str]) -> None:
    """Check that texts which a base tokenizer brings back come back from its variant too.

    Raises:
        ValueError: one does not; the message shows it.
    """
    for text in probes:
        found, wanted = (each.decode(each.encode(text, add_special_tokens=False)) for each in (tokenizer, base))
        if found != text == wanted:
            raise ValueError(
                f"The tokenizer's decoder cannot bring numbers back that are written digit by digit: '{text}' comes "
                f"back as '{found}'. Use a tokenizer whose decoder puts no spaces between tokens (byte-level BPE or "
                "SentencePiece; WordPiece does not do)."
            )
