"""Text files of rows as a data set in which a number is the text that was written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import ArrowBasedBuilder, BuilderConfig, Dataset, DatasetInfo, SplitGenerator, Version
from datasets.exceptions import DatasetGenerationError

from .csv_rows import read_csv_rows
from .json_rows import read_json_rows
from .row_features import RowFeatures

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
# The kinds of file; each also with `.gz`.
ENDINGS = (*_SEPARATORS, ".jsonl", ".ndjson", ".json")
NO_ROWS = "no rows"
_CHUNK = 1000


def load_as_written(files: Sequence[Path], separator: str | None = None) -> Dataset:
    """The rows of files, one after another, through the cache of `datasets`: files that have changed are read again.

    See `read_csv_rows` and `read_json_rows` for what becomes text, and `RowFeatures` for the types of the rest.

    Args:
        files: with one of `ENDINGS`, also packed (`.gz`).
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


def ending(path: Path) -> str:
    """The end of a file's name in small letters, that of the packed file for `.gz`."""
    return (Path(path.stem).suffix if path.suffix == ".gz" else path.suffix).lower()


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
    VERSION = Version("1.1.0")
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
