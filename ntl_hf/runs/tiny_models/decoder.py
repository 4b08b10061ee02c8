"""A small Llama: two layers of width 96, 0.2 million parameters.

The words of arithmetic questions and of generated reviews are tokens, and so is every digit and sign:
`recipes/tiny-decoder` trains it on readings, arithmetic and ratings.
"""

from itertools import chain

from transformers import LlamaConfig, PreTrainedTokenizerFast

from ...data import make_arithmetic, make_ratings, make_readings
from .words import texts_of, word_tokenizer


def tokenizer() -> PreTrainedTokenizerFast:
    """Its tokenizer, from the words of the three tasks."""
    rows = (make("train", max_rows=5000) for make in (make_readings, make_arithmetic, make_ratings))
    core = word_tokenizer(chain.from_iterable(map(texts_of, rows)))
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def config(vocab_size: int) -> LlamaConfig:
    """Its configuration, for so many tokens."""
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=128,
        # The 0.02 of large models is too small for a narrow one: about 1 / sqrt(width) lets it learn at once.
        initializer_range=0.08,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
