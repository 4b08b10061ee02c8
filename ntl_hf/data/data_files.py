"""Data files: which kinds there are, and how those of a split are loaded."""

import glob
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as parquet
from datasets import Dataset, load_dataset
from pyarrow import ArrowException

from .as_written import ENDINGS, NO_ROWS, ending, load_as_written

KINDS = (*ENDINGS, ".parquet")


def load_file(path: Path) -> Dataset:
    """Load a file of one of `KINDS`; errors as of `load_named`."""
    check_kind(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty.")
    if ending(path) != ".parquet":
        return load_as_written([path])
    check_parquet([path])
    return load_dataset("parquet", data_files=[glob.escape(path.resolve().as_posix())], split="train")


def check_kind(path: Path) -> Path:
    """The same path; `ValueError` if the file is none of `KINDS`."""
    if ending(path) not in KINDS:
        raise ValueError(f"{path} is none of the kinds of file that can be read: {', '.join(KINDS)} (and with .gz).")
    return path


def check_parquet(files: Sequence[Path]) -> None:
    """Raise `ValueError` for a file that is no parquet, or has no rows, of which `datasets` names neither."""
    for file in files:
        try:
            rows = parquet.read_metadata(file).num_rows
        except (ArrowException, OSError) as error:
            raise ValueError(f"{file} cannot be read: {error}") from None
        if rows == 0:
            raise ValueError(NO_ROWS if len(files) == 1 else f"{file} has no rows; remove it.")
