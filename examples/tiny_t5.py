"""Write the configuration and the tokenizer of a small T5 into a folder, for `ntl-hf train --from_scratch true`.

    python examples/tiny_t5.py models/t5-tiny

Two encoder and two decoder layers of width 128, 0.7 million parameters; words and spaces of arithmetic questions are
tokens, and so is every digit and sign.
"""

import sys
from pathlib import Path

from tiny_words import texts_of, word_tokenizer
from tokenizers import processors
from transformers import PreTrainedTokenizerFast, T5Config

from ntl_hf.data import make_arithmetic


def tokenizer() -> PreTrainedTokenizerFast:
    core = word_tokenizer(texts_of(make_arithmetic("train", max_rows=5000)))
    core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def config(vocab_size: int) -> T5Config:
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
        decoder_start_token_id=0,
    )


def main(folder: Path) -> None:
    tokens = tokenizer()
    tokens.save_pretrained(folder)
    config(len(tokens)).save_pretrained(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
