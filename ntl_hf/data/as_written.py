"""Data files: the kinds that can be read, and text files of rows in which a number is the text that was written."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
from datasets import ArrowBasedBuilder, BuilderConfig, Dataset, DatasetInfo, SplitGenerator, Version, load_dataset
from datasets.exceptions import DatasetGenerationError

from .row_features import RowFeatures
from .rows import read_csv_rows, read_json_rows

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
# The text files may also end in `.gz`.
KINDS = (*_SEPARATORS, ".jsonl", ".ndjson", ".json", ".parquet")
NO_ROWS = "no rows"
_CHUNK = 1000


def load_file(path: Path) -> Dataset:
    """Load a file of one of `KINDS`; errors as of `load_named`."""
    check_kind(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty.")
    if ending(path) != ".parquet":
        return load_as_written([path])
    check_parquet([path])
    return load_dataset("parquet", data_files=[glob.escape(path.resolve().as_posix())], split="train")


def ending(path: Path) -> str:
    """The end of a file's name in small letters, that of the packed file for `.gz`."""
    return (Path(path.stem).suffix if path.suffix == ".gz" else path.suffix).lower()


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
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{file} cannot be read: {error}") from None
        if rows == 0:
            raise ValueError(NO_ROWS if len(files) == 1 else f"{file} has no rows; remove it.")


def load_as_written(files: Sequence[Path], separator: str | None = None) -> Dataset:
    """The rows of files, one after another, through the cache of `datasets`: files that have changed are read again.

    See `read_csv_rows` and `read_json_rows` for what becomes text, and `RowFeatures` for the types of the rest.

    Args:
        files: text files of `KINDS`, also packed (`.gz`).
        separator: one character, between the fields of CSV and TSV; None takes that of the file's kind.

    Raises:
        ValueError: a file cannot be read, with the line; or no file has rows (`NO_ROWS`).
    """
    paths = [path.resolve() for path in files]
    stats = [path.stat() for path in paths]
    builder = _AsWritten(
        files=[str(path) for path in files],
        # A relative name is another file in another folder.
        versions=[f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in zip(paths, stats, strict=True)],
        separator=separator,
    )
    try:
        builder.download_and_prepare()
    except DatasetGenerationError as error:
        raise error.__cause__ or error from None
    return builder.as_dataset(split="train")


def _rows(files: Sequence[str], separator: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in map(Path, files):
        usual = _SEPARATORS.get(ending(path))
        yield from read_json_rows(path) if usual is None else read_csv_rows(path, separator or usual)


@dataclass
class _Config(BuilderConfig):
    files: Sequence[str] = ()
    versions: Sequence[str] = ()
    separator: str | None = None


class _AsWritten(ArrowBasedBuilder):
    # Kept in the cache: another version reads files again that an earlier one has read.
    VERSION = Version("1.2.0")
    BUILDER_CONFIG_CLASS = _Config

    def _info(self) -> DatasetInfo:
        return DatasetInfo()

    def _split_generators(self, dl_manager: Any) -> list[SplitGenerator]:
        self._row_features = RowFeatures(_rows(self.config.files, self.config.separator))
        self.info.features = self._row_features.features
        if not self.info.features:
            raise ValueError(NO_ROWS)
        return [SplitGenerator("train", gen_kwargs={"files": tuple(self.config.files)})]

    def _generate_tables(self, files: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        rows = (row for _, row in _rows(files, self.config.separator))
        for number, chunk in enumerate(iter(lambda: list(islice(rows, _CHUNK)), [])):
            yield number, self._row_features.table(chunk)
