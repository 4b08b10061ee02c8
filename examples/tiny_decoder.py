"""Write the configuration and the tokenizer of a small Llama into a folder, for `ntl-hf sft --from_scratch true`.

    python examples/tiny_decoder.py models/tiny-decoder

Two layers of width 96, 0.2 million parameters. The words of arithmetic questions and of generated reviews are tokens,
and so is every digit and sign: `recipes/tiny-decoder` trains it on readings, arithmetic and ratings.
"""

import sys
from itertools import chain
from pathlib import Path

from tiny_words import texts_of, word_tokenizer
from transformers import LlamaConfig, PreTrainedTokenizerFast

from ntl_hf.data import make_arithmetic, make_ratings, make_readings


def tokenizer() -> PreTrainedTokenizerFast:
    rows = (make("train", max_rows=5000) for make in (make_readings, make_arithmetic, make_ratings))
    core = word_tokenizer(chain.from_iterable(map(texts_of, rows)))
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def config(vocab_size: int) -> LlamaConfig:
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


def main(folder: Path) -> None:
    tokens = tokenizer()
    tokens.save_pretrained(folder)
    config(len(tokens)).save_pretrained(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
