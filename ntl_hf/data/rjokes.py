"""rJokes (Weller and Seppi 2020, LREC): jokes and the score, 0 to 11, that readers gave them."""

from pathlib import Path
from typing import Any

from datasets import Dataset

from .lines import find_file, read_lines
from .sets import check_split, number_in, question_and_answer, to_dataset

SPLITS = ("train", "dev", "test")
SCORES = range(12)


def load_rjokes(folder: str | Path, split: str = "train") -> Dataset:
    """Load a split as columns `prompt` ("Question: the joke\\nAnswer:"), `completion` (its score) and `target`.

    Args:
        folder: the files of the original set, `train.tsv`, `dev.tsv` and `test.tsv` or the same with `.gz`: a line is
            score, tab and text, where only the first tab separates.
        split: "train", "dev" or "test".

    Raises:
        ValueError: unknown split, no rows; with file and line, a line without a tab or a text, or a score that is not
            a whole number from 0 to 11.
        FileNotFoundError: the folder or its file is missing.
    """
    check_split(split, SPLITS, "rJokes")
    path = find_file(Path(folder), (f"{split}.tsv", f"{split}.tsv.gz"), "rJokes")
    rows = [_example(line, where) for where, line in read_lines(path)]
    if not rows:
        raise ValueError(f"{path} has no rows.")
    return to_dataset(rows)


def _example(line: str, where: str) -> dict[str, Any]:
    score, tab, text = line.partition("\t")
    if not tab:
        raise ValueError(f"{where}: no tab; a line is score, tab and text. This is: {line.strip()[:60]!r}.")
    if not text.strip():
        raise ValueError(f"{where}: no text after the score.")
    number = number_in(score, where)
    # `5%` is 5 to `number_in`, and so is `5.0`.
    if score.strip() not in map(str, SCORES):
        raise ValueError(f"{where}: the score is {score.strip()}; it must be a whole number from 0 to 11.")
    return {**question_and_answer(text.strip(), str(int(number))), "target": number}
