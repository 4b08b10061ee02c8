"""A split of a folder: which files it has, as `datasets` finds them or as the folder's README says."""

import glob
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from datasets import BuilderConfig, Dataset, load_dataset, load_dataset_builder
from datasets.data_files import DataFilesDict, get_data_patterns
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from .as_written import ending, load_as_written
from .data_files import KINDS, check_kind, check_parquet, load_file

# The builders of `datasets` whose files are read as written here.
_TEXT_BUILDERS = ("csv", "json")
_WAY_OUT = (
    "Name one file as `dataset_name`, or write into the folder's README (`configs`, `data_files`) which to read."
)


def load_folder(path: Path, config: str | None, split: str) -> Dataset:
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
