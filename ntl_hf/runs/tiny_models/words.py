"""A tokenizer for generated text, which the tiny models share: a word is a token, and so is every digit and sign."""

from collections.abc import Iterable

from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ["<pad>", "</s>", "<unk>"]


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
