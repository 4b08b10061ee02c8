"""Write the configuration and the tokenizer of a small T5 into a folder, for `ntl-hf train --from_scratch true`.

    python examples/tiny_t5.py models/t5-tiny
    python examples/tiny_t5.py models/t5-tiny-ratings ratings

Two encoder and two decoder layers of width 128, 0.7 million parameters; the words of arithmetic questions, or those of
reviews, are tokens, and so is every digit and sign.
"""

import sys
from pathlib import Path

from tiny_words import texts_of, word_tokenizer
from tokenizers import processors
from transformers import PreTrainedTokenizerFast, T5Config

from ntl_hf.data import make_arithmetic, make_ratings

TASKS = {"arithmetic": make_arithmetic, "ratings": make_ratings}


def tokenizer(task: str = "arithmetic") -> PreTrainedTokenizerFast:
    core = word_tokenizer(texts_of(TASKS[task]("train", max_rows=5000)))
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


def main(folder: Path, task: str = "arithmetic") -> None:
    tokens = tokenizer(task)
    tokens.save_pretrained(folder)
    config(len(tokens)).save_pretrained(folder)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or not TASKS.keys() >= set(sys.argv[2:]):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *sys.argv[2:])
