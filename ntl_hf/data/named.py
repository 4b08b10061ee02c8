"""A data set by name: a hub id, a folder or a file."""

import glob
import os
from pathlib import Path

from datasets import Dataset, load_dataset, load_dataset_builder
from datasets.exceptions import DatasetsError

from .as_written import ENDINGS, NO_ROWS, ending, load_as_written

_KINDS = (*ENDINGS, ".parquet")
# The builders of `datasets` whose files are read as written here.
_TEXT_BUILDERS = ("csv", "json")


def is_data_file(name: str) -> bool:
    """Whether `name` is an existing file, not a folder or a hub id."""
    return Path(name).is_file()


def load_named(name: str, config: str | None, split: str) -> Dataset:
    """Load a split of a hub data set or a folder, or a file, which is whatever split is asked for.

    Of CSV, TSV and JSON files in a folder or by name, numbers are the text that was written; see `load_as_written`.
    Parquet and hub sets have the types that their authors or `datasets` gave them.

    Args:
        name: hub id, folder, or a file of CSV, TSV, JSON, JSON lines (each also packed, `.gz`) or parquet.
        config: the configuration, of hub sets.
        split: the split.

    Raises:
        ValueError: an unknown kind of file, an unknown split, or content that cannot be read, with file and line
            where the format has lines.
        FileNotFoundError: there is no such file.
    """
    path = Path(name)
    try:
        if path.is_file():
            return _load_file(path)
        return _load_folder(path, config, split) if path.is_dir() else _load_hub(name, config, split)
    except (DatasetsError, ValueError) as error:
        raise ValueError(_describe(error, name, split)) from error


def _describe(error: BaseException, name: str, split: str) -> str:
    cause = " ".join(str(error.__cause__ or error).split())
    if cause == NO_ROWS or "corresponds to no data" in cause:
        return f"{name}, split '{split}', has no rows."
    if cause.startswith((name, "Unknown split")):
        return cause if cause.startswith(name) else f"{name}: {cause}"
    return f"{name} cannot be read: {cause}"


def _load_hub(name: str, config: str | None, split: str) -> Dataset:
    if ending(Path(name)) in _KINDS:
        raise FileNotFoundError(f"There is no file {name}.")
    return load_dataset(name, config, split=split)


def _load_folder(path: Path, config: str | None, split: str) -> Dataset:
    own = [file for file in sorted(path.iterdir()) if ending(file) in _KINDS and file.name.split(".")[0] == split]
    if len(own) == 1:
        # `datasets` guesses splits by words in the path as well: a folder `tests` would have none but a test split.
        return _load_file(own[0])
    builder = load_dataset_builder(str(path), config)
    if builder.name not in _TEXT_BUILDERS:
        return load_dataset(str(path), config, split=split)
    files = {str(each): list(found) for each, found in builder.config.data_files.items()}
    if split not in files:
        raise ValueError(f'Unknown split "{split}". Should be one of {list(files)}.')
    # Its names are absolute; errors name files as the user does.
    return load_as_written([_checked(path / os.path.relpath(file, path.absolute())) for file in files[split]])


def _load_file(path: Path) -> Dataset:
    _checked(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty.")
    if ending(path) != ".parquet":
        return load_as_written([path])
    return load_dataset("parquet", data_files=[glob.escape(path.resolve().as_posix())], split="train")


def _checked(path: Path) -> Path:
    if ending(path) not in _KINDS:
        raise ValueError(f"{path} is none of the kinds of file that can be read: {', '.join(_KINDS)} (and with .gz).")
    return path
