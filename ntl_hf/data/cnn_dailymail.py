"""CNN/DailyMail 3.0.0 (See et al. 2017): articles and highlights, a task without numbers to control for harm."""

from pathlib import Path

from datasets import Dataset

from .columns import map_columns
from .named import load_named
from .sets import check_split

HUB_ID, HUB_CONFIG = "abisee/cnn_dailymail", "3.0.0"
SPLITS = ("train", "validation", "test")


def load_cnn_dailymail(source: str | Path | None = None, split: str = "train", max_rows: int | None = None) -> Dataset:
    """Load a split as columns `prompt` ("summarize: ...\\nSummary:") and `completion` (the highlights).

    Line breaks become spaces in both, as in the paper (arXiv 2411.02083).

    Args:
        source: a local folder with a file a split, such as `train.jsonl`, in JSON lines, CSV or parquet, with the
            columns `article` and `highlights`; None takes the data set from the hub.
        split: "train", "validation" or "test".
        max_rows: take the first rows only.

    Raises:
        ValueError: unknown split, files that cannot be read, missing columns, or rows without a text.
        FileNotFoundError: the folder is missing.
    """
    check_split(split, SPLITS, "CNN/DailyMail")
    dataset = load_named(HUB_ID if source is None else str(source), HUB_CONFIG if source is None else None, split)
    dataset = dataset if max_rows is None else dataset.select(range(min(max_rows, len(dataset))))
    name = f"{source or HUB_ID}, split '{split}'"
    columns = {"prompt": "summarize: {article}\nSummary:", "completion": " {highlights}"}
    return map_columns(dataset, columns, name).map(_in_one_line, desc="Joining lines")


def _in_one_line(row: dict[str, str]) -> dict[str, str]:
    article = row["prompt"].removesuffix("\nSummary:")
    return {
        "prompt": " ".join(article.splitlines()) + "\nSummary:",
        "completion": " ".join(row["completion"].splitlines()),
    }
