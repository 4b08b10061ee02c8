"""`split_digits`: a tokenizer with pieces of several digits, made to write numbers digit by digit."""

from typing import Any

from tokenizers import Regex, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from .backend_tokenizer import check_round_trip, copy_backend, with_backend

_PROBES = ("1234567890", "in 12 of 3456", "a1b23 45,678.90")


def split_digits(tokenizer: Any) -> PreTrainedTokenizerFast:
    """A variant of a fast tokenizer that writes every ASCII digit as a token of its own.

    Numbers get one token a digit, and a space before a number is a token too (`▁`, `1`, `2`). Everything else stays:
    vocabulary and ids are the same, text without digits gets the same ids, so that pretrained embeddings stay valid;
    added tokens (also those with digits in them), post-processor, sides, chat template and lengths are kept.
    Text comes back from the ids as it comes back from the base tokenizer's: exactly from byte-level BPE, while T5's
    collapses white space and loses unknown characters.

    The given tokenizer is not changed. The result comes back from `save_pretrained` through `AutoTokenizer`, also
    where a `config.json` of T5, GPT-2 or Llama lies beside it. For some model types (Qwen's) `AutoTokenizer` insists
    on another class; `PreTrainedTokenizerFast.from_pretrained` reads the folder whatever else is in it.

    Args:
        tokenizer: any tokenizer with a `backend_tokenizer`.

    Raises:
        ValueError: the tokenizer is a slow one, writes every digit as a token already, has no token for one of the
            ten digits, or has a decoder that would put spaces between digits (WordPiece).
    """
    backend = copy_backend(tokenizer)
    vocab = backend.get_vocab()
    missing = [digit for digit in "0123456789" if digit not in vocab]
    if missing:
        raise ValueError(
            f"The tokenizer has no tokens for the digits {missing}. Add them with "
            "`ntl_hf.add_digit_tokens(tokenizer, model)`, which also resizes the model."
        )
    if not _hides_digits(tokenizer):
        raise ValueError("The tokenizer already writes numbers digit by digit; use it as it is.")
    # Last: before it, it would change what the base's own steps see, such as the marks before words.
    steps = [backend.pre_tokenizer, pre_tokenizers.Split(Regex("[0-9]"), "isolated")]
    backend.pre_tokenizer = pre_tokenizers.Sequence([step for step in steps if step is not None])
    changed = with_backend(tokenizer, backend)
    check_round_trip(changed, tokenizer, _PROBES)
    return changed


def _hides_digits(tokenizer: Any) -> bool:
    """Whether a digit is ever written as part of a longer piece."""
    backend, added = tokenizer.backend_tokenizer, tokenizer.added_tokens_decoder
    with_digits = [i for token, i in tokenizer.get_vocab().items() if i not in added and _digits(token)]
    texts = [*_PROBES, *(tokenizer.decode([i]) for i in with_digits)]
    used = {i for encoding in backend.encode_batch(texts, add_special_tokens=False) for i in encoding.ids}
    written = [tokenizer.decode([i]).strip() for i in used if i not in added]
    # Names such as `<0x0A>` have digits too; what counts is the text.
    return any(_digits(text) and len(text) > 1 for text in written)


def _digits(text: str) -> bool:
    return any(digit in text for digit in "0123456789")
