"""A data set by name: a hub id, a folder or a file."""

import csv
import glob
import zlib
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value, load_dataset
from datasets.exceptions import DatasetsError

from .json_lines import read_json_lines
from .text_lines import read_lines

# The builder of `datasets` by the end of a file's name; each also with `.gz`.
_BUILDERS = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".ndjson": "json", ".json": "json", ".parquet": "parquet"}
_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_BROKEN = (DatasetsError, ValueError, EOFError, zlib.error)


def is_data_file(name: str) -> bool:
    """Whether `name` is an existing file, not a folder or a hub id."""
    return Path(name).is_file()


def load_named(name: str, config: str | None, split: str) -> Dataset:
    """Load a split of a hub data set or a folder, or a file, which is whatever split is asked for.

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
        return _load_file(path) if path.is_file() else _load_folder_or_hub(name, config, split)
    except _BROKEN as error:
        _raise_bad_line(path)
        raise ValueError(_describe(error, name, split)) from error


def _describe(error: BaseException, name: str, split: str) -> str:
    cause = " ".join(str(error.__cause__ or error).split())
    if "corresponds to no data" in cause:
        return f"{name}, split '{split}', has no rows."
    if cause.startswith((name, "Unknown split")):
        return cause if cause.startswith(name) else f"{name}: {cause}"
    return f"{name} cannot be read: {cause}"


def _load_folder_or_hub(name: str, config: str | None, split: str) -> Dataset:
    path = Path(name)
    if not path.exists() and _ending(path) is not None:
        raise FileNotFoundError(f"There is no file {name}.")
    files = [file for file in sorted(path.rglob("*")) if _ending(file)] if path.is_dir() else []
    own = [file for file in files if file.parent == path and file.name.split(".")[0] == split]
    if len(own) == 1:
        # `datasets` guesses splits by words in the path as well: a folder `tests` would have none but a test split.
        return _load_file(own[0])
    # Of a folder with one kind of file, `datasets` takes the options of that kind.
    options = _options(files[0]) if len({_ending(file) for file in files}) == 1 else {}
    return load_dataset(name, config, split=split, **options)


def _load_file(path: Path) -> Dataset:
    ending = _ending(path)
    if ending is None:
        known = ", ".join(_BUILDERS)
        raise ValueError(f"{path} is none of the kinds of file that can be read: {known} (and these with .gz).")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty.")
    files = [glob.escape(path.resolve().as_posix())]
    return load_dataset(_BUILDERS[ending], data_files=files, split="train", **_options(path))


def _options(path: Path) -> dict[str, Any]:
    """What the builder is told, so that CSV is read as it stands.

    `1.50`, `007` and `NA` are texts, of which a guess at types would make 1.5, 7 and nothing; an empty field is null.
    """
    if _ending(path) not in (".csv", ".tsv"):
        return {}
    separator = "\t" if _ending(path) == ".tsv" else ","
    names = next(csv.reader((line for _, line in read_lines(path)), delimiter=separator), [])
    return {
        "sep": separator,
        "keep_default_na": False,
        "na_values": [""],
        "features": Features({name: Value("string") for name in names}),
    }


def _ending(path: Path) -> str | None:
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    return ending.lower() if ending.lower() in _BUILDERS else None


def _raise_bad_line(path: Path) -> None:
    """Raise the error of the first bad line of a text file: `datasets` names neither file nor line."""
    files = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    for file in files:
        is_csv = _ending(file) in (".csv", ".tsv")
        lines = read_lines(file) if is_csv else read_json_lines(file) if file.name.endswith(_LINES) else iter(())
        for _ in lines:
            pass
