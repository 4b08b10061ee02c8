"""Data sets by name: a hub id, a file, or a folder with the files that `datasets` finds or its README names."""

import glob
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from datasets import BuilderConfig, Dataset, load_dataset, load_dataset_builder
from datasets.data_files import DataFilesDict, get_data_patterns
from datasets.exceptions import DatasetNotFoundError, DatasetsError
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from .as_written import KINDS, NO_ROWS, check_kind, check_parquet, ending, load_as_written, load_file

# The builders of `datasets` whose files are read as written here.
_TEXT_BUILDERS = ("csv", "json")
_WAY_OUT = (
    "Name one file as `dataset_name`, or write into the folder's README (`configs`, `data_files`) which to read."
)


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
            if config is not None:
                raise ValueError(f"{path} is a file, and has no configuration '{config}': leave `dataset_config` out.")
            return load_file(path)
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
    if ending(Path(name)) in KINDS:
        raise FileNotFoundError(f"There is no file {name}.")
    try:
        return load_dataset(name, config, split=split)
    except (ConnectionError, DatasetNotFoundError) as error:
        cause = " ".join(str(error).split()).rstrip(".")
        raise FileNotFoundError(f"There is no folder {name} here, and from the hub: {cause}.") from error


def _load_folder(path: Path, config: str | None, split: str) -> Dataset:
    """Load a split of a folder.

    Where its README has configurations, they are followed. Else it is the file that has the split's name, or those
    that `datasets` finds.

    Raises:
        ValueError: there is no such configuration or split, or no file that `datasets` can find; the split has files
            of which some would be left out; or the README has an option for reading that is not followed here.
    """
    configs = _configs(path)
    if not configs and config is None and (own := _own(path, split)):
        # `datasets` knows three names of splits, and one kind of file for all of them.
        _check_all_read([*own, *_found(path, split)], own[:1], path, split)
        return load_file(own[0])
    if glob.has_magic(path.resolve().as_posix()):
        raise ValueError(f"{path}: `datasets` finds no files where a folder's name has one of *?[; rename it.")
    builder = load_dataset_builder(str(path), config)
    files = _files(builder, path)
    if not any({"data_files", "data_dir"} & each.keys() for each in configs.values()):
        _check_all_read(_found(path, split), files.get(split, []), path, split)
    if builder.name in (*_TEXT_BUILDERS, "parquet") and split not in files:
        raise ValueError(f'Unknown split "{split}". Should be one of {list(files)}.')
    if builder.name == "parquet":
        check_parquet(files[split])
    if builder.name not in _TEXT_BUILDERS:
        return load_dataset(str(path), config, split=split)
    return load_as_written([check_kind(file) for file in files[split]], **_options(builder.config, files[split]))


def _configs(path: Path) -> dict[str, Any]:
    """The configurations of the folder's README, or of the file that stands for it, by name."""
    readme, bare = path / "README.md", path / ".huggingface.yaml"
    texts = [readme.read_text("utf-8")] if readme.is_file() else []
    texts += [f"---\n{bare.read_text('utf-8')}\n---\n"] if bare.is_file() else []
    found: dict[str, Any] = {}
    for text in (each for each in texts if each.lstrip("\ufeff \n").startswith("---")):
        found |= MetadataConfigs.from_dataset_card_data(DatasetCard(text).data)
    return found


def _own(path: Path, split: str) -> list[Path]:
    """The files that have the name of the split."""
    return [file for file in sorted(path.iterdir()) if ending(file) in KINDS and file.name.split(".")[0] == split]


def _found(path: Path, split: str) -> list[Path]:
    """The files of the split that `datasets` finds, of whatever kind that is read here."""
    base = path.resolve().as_posix()
    if glob.has_magic(base):  # there it finds none
        files = [file for file in path.rglob("*") if split in file.relative_to(path).as_posix()]
    else:
        patterns = {name: each for name, each in get_data_patterns(base).items() if str(name) == split}
        found = DataFilesDict.from_patterns(patterns, base_path=base)
        files = [_as_named(file, path) for each in found.values() for file in each]
    return sorted(file for file in files if ending(file) in KINDS)


def _as_named(file: Any, path: Path) -> Path:
    """The file as the user would name it; that of `datasets` is absolute."""
    return path / os.path.relpath(file, path.resolve())


def _files(builder: Any, path: Path) -> dict[str, list[Path]]:
    return {str(name): [_as_named(file, path) for file in found] for name, found in builder.config.data_files.items()}


def _check_all_read(found: Sequence[Path], read: Sequence[Path], path: Path, split: str) -> None:
    if left_out := sorted({*found} - {*read}):
        names = ", ".join(file.relative_to(path).as_posix() for file in sorted({*found}))
        raise ValueError(
            f"{path}, split '{split}': the files {names[:200]} are not read together"
            f" ({left_out[0].name} would be left out). {_WAY_OUT}"
        )


def _options(config: BuilderConfig, files: Sequence[Path]) -> dict[str, str]:
    """What the README says about reading text files, for `load_as_written`."""
    usual, same = type(config)(), {field.name for field in fields(BuilderConfig)}
    given = {field.name: getattr(config, field.name) for field in fields(config) if field.name not in same}
    given = {name: value for name, value in given.items() if value != getattr(usual, name)}
    separator = given.pop("sep", None)
    given.pop("delimiter", None)
    if separator is not None and len(separator) != 1:
        given["sep"] = separator
    if given:
        raise ValueError(
            f"The folder's README sets `{next(iter(given))}`, which is not followed here; take it out, and write the "
            "files as CSV with a header, TSV or JSON lines in UTF-8."
        )
    # `datasets` gives the tab of TSV to CSV beside it.
    is_usual = separator is None or (separator == "\t" and any(".tsv" in file.suffixes for file in files))
    return {} if is_usual else {"separator": separator}
