"""Small models from random weights, which the recipes of `tiny-decoder` and `t5-tiny` train.

`python -m ntl_hf.runs.tiny_models decoder models/tiny-decoder` writes the configuration and the tokenizer of one, for
recipes with `from_scratch: true`. The words of generated questions or reviews are tokens, and so is every digit and
sign.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, PretrainedConfig, PreTrainedTokenizerFast, T5Config

from ..data import make_arithmetic, make_ratings, make_readings
from .model_names import FOLDERS, command

SPECIAL = ["<pad>", "</s>", "<unk>"]


def decoder_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of the small Llama, from the words of readings, arithmetic and ratings."""
    rows = (make("train", max_rows=5000) for make in (make_readings, make_arithmetic, make_ratings))
    return _fast(word_tokenizer(chain.from_iterable(map(texts_of, rows))))


def decoder_config(vocab_size: int) -> LlamaConfig:
    """A small Llama, for so many tokens: two layers of width 96, 0.2 million parameters."""
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


def t5_tokenizer(make: Callable[..., Dataset] = make_arithmetic) -> PreTrainedTokenizerFast:
    """The tokenizer of the small T5, from the words of a task."""
    core = word_tokenizer(texts_of(make("train", max_rows=5000)))
    core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return _fast(core)


def t5_config(vocab_size: int) -> T5Config:
    """A small T5, for so many tokens: two and two layers of width 128, 0.7 million parameters."""
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


def word_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Tokens for all that occurs in the texts: words, each with the space before it, and single other characters."""
    core = Tokenizer(models.WordLevel(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?[A-Za-z]+|[^A-Za-z]"), "isolated")
    core.decoder = decoders.Fuse()
    core.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=SPECIAL, show_progress=False))
    return core


def texts_of(rows: Dataset) -> Iterable[str]:
    """Prompt and completion of every row."""
    return (row["prompt"] + row["completion"] for row in rows)


def _fast(core: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


_MAKERS: dict[str, tuple[Callable[[], Any], Callable[[int], PretrainedConfig]]] = {
    "decoder": (decoder_tokenizer, decoder_config),
    "t5": (t5_tokenizer, t5_config),
    "t5-ratings": (partial(t5_tokenizer, make_ratings), t5_config),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and write the model."""
    commands = "\n".join(f"  {command(name)}" for name in FOLDERS)
    parser = argparse.ArgumentParser(
        prog="python -m ntl_hf.runs.tiny_models",
        description="Write the configuration and the tokenizer of a small model into a folder, for recipes with "
        "`from_scratch: true`.",
        epilog=f"what the recipes need:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", choices=_MAKERS, help="a Llama, or a T5 for arithmetic or for ratings of reviews")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="made if it is not there")
    args = parser.parse_args(argv)
    make_tokenizer, make_config = _MAKERS[args.model]
    tokens = make_tokenizer()
    tokens.save_pretrained(args.folder)
    make_config(len(tokens)).save_pretrained(args.folder)


if __name__ == "__main__":
    main()
