"""A small T5: two encoder and two decoder layers of width 128, 0.7 million parameters.

The words of arithmetic questions, or those of reviews, are tokens, and so is every digit and sign.
"""

from tokenizers import processors
from transformers import PreTrainedTokenizerFast, T5Config

from ...data import make_arithmetic, make_ratings
from .words import texts_of, word_tokenizer

_TASKS = {"arithmetic": make_arithmetic, "ratings": make_ratings}


def tokenizer(task: str = "arithmetic") -> PreTrainedTokenizerFast:
    """Its tokenizer, from the words of a task: "arithmetic" or "ratings"."""
    core = word_tokenizer(texts_of(_TASKS[task]("train", max_rows=5000)))
    core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def config(vocab_size: int) -> T5Config:
    """Its configuration, for so many tokens."""
    return T5Config(
        vocab_size=vocab_size,
        d_model=128,
        d_kv=32,
        num_heads=4,
        d_ff=256,
        num_layers=2,
        num_decoder_layers=2,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,  # type: ignore[call-arg]
    )
