"""A data set by name: a hub id, a folder or a file."""

from pathlib import Path

from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetNotFoundError, DatasetsError

from .as_written import NO_ROWS, ending
from .data_files import KINDS, load_file
from .folders import load_folder


def is_data_file(name: str) -> bool:
    """Whether `name` is an existing file, not a folder or a hub id."""
    return Path(name).is_file()


def load_named(name: str, config: str | None, split: str) -> Dataset:
    """Load a split of a hub data set or a folder, or a file, which is whatever split is asked for.

    Of CSV, TSV and JSON files in a folder or by name, numbers are the text that was written; see `load_as_written`.
    Parquet and hub sets have the types that their authors or `datasets` gave them.

    Args:
        name: hub id, folder, or a file of CSV, TSV, JSON, JSON lines (each also packed, `.gz`) or parquet.
        config: the configuration, of hub sets and of folders whose README has some.
        split: the split.

    Raises:
        ValueError: an unknown kind of file, configuration or split, files that are not read together, or content that
            cannot be read, with file and line where the format has lines.
        FileNotFoundError: there is no such file, folder or hub set.
    """
    path = Path(name)
    try:
        if path.is_file():
            return _load_file(path, config)
        return load_folder(path, config, split) if path.is_dir() else _load_hub(name, config, split)
    except (DatasetsError, ValueError) as error:
        raise ValueError(_describe(error, name, split)) from error


def _describe(error: BaseException, name: str, split: str) -> str:
    cause = " ".join(str(error.__cause__ or error).split())
    if cause == NO_ROWS or "corresponds to no data" in cause:
        return f"{name}, split '{split}', has no rows."
    if cause.startswith((name, "Unknown split")):
        return cause if cause.startswith(name) else f"{name}: {cause}"
    return f"{name} cannot be read: {cause}"


def _load_file(path: Path, config: str | None) -> Dataset:
    if config is not None:
        raise ValueError(f"{path} is a file, and has no configuration '{config}': leave `dataset_config` out.")
    return load_file(path)


def _load_hub(name: str, config: str | None, split: str) -> Dataset:
    if ending(Path(name)) in KINDS:
        raise FileNotFoundError(f"There is no file {name}.")
    try:
        return load_dataset(name, config, split=split)
    except (ConnectionError, DatasetNotFoundError) as error:
        cause = " ".join(str(error).split()).rstrip(".")
        raise FileNotFoundError(f"There is no folder {name} here, and from the hub: {cause}.") from error
