"""DeepMind Mathematics v1.0 (Saxton et al. 2019, arXiv 1904.01557) as prompt and completion."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from datasets import Dataset
from datasets.exceptions import DatasetGenerationError

from .question import question_and_answer

# The levels of difficulty are trained on together; the two tests ask for more of the same, and for larger problems.
SPLITS = {
    "train": ("train-easy", "train-medium", "train-hard"),
    "interpolate": ("interpolate",),
    "extrapolate": ("extrapolate",),
    "test": ("interpolate",),
}


def load_mathematics(
    folder: str | Path,
    split: str = "train",
    modules: Sequence[str] | None = None,
    max_rows_per_file: int | None = None,
) -> Dataset:
    """Load a split as columns `prompt` ("Question: ...\\nAnswer:") and `completion`.

    The rows of all files take turns, so that the first n of them are spread evenly over modules and levels. They are
    read once and kept in the cache of `datasets`, on disk: the whole set has 112 million.

    Args:
        folder: the unpacked set, with the folders train-easy, train-medium, train-hard, interpolate and extrapolate.
        split: "train", "interpolate", "extrapolate" or "test", which is interpolate.
        modules: names of files without ".txt", such as "arithmetic__mul"; None takes all.
        max_rows_per_file: read no further in each file; None reads all.

    Raises:
        ValueError: unknown split or module, no modules, `max_rows_per_file` below 1; with file and line, a question
            without an answer, an empty line or one that is not UTF-8.
        FileNotFoundError: a folder of the split is missing or has no modules.
    """
    if split not in SPLITS:
        raise ValueError(f"Mathematics has the splits {', '.join(SPLITS)}, not '{split}'.")
    if max_rows_per_file is not None and max_rows_per_file < 1:
        raise ValueError(f"`max_rows_per_file` must be 1 or more, not {max_rows_per_file}.")
    if modules is not None and not modules:
        raise ValueError("`modules` names no modules; leave it out to take all.")
    files = tuple(path for level in SPLITS[split] for path in _files(Path(folder), level, modules))
    # What the cache knows the rows by: files that have changed are read again.
    versions = tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    arguments = {"files": files, "versions": versions, "limit": max_rows_per_file}
    try:
        return Dataset.from_generator(_rows, gen_kwargs=arguments)
    except DatasetGenerationError as error:
        raise error.__cause__ or error from None


def _files(folder: Path, level: str, modules: Sequence[str] | None) -> list[Path]:
    """The files of a level, those of `modules` or all."""
    there = {path.stem: path for path in sorted((folder / level).glob("*.txt"))}
    if not there:
        found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else "no such folder"
        raise FileNotFoundError(f"Mathematics needs {folder / level} with a text file a module; found: {found}.")
    for name in modules or ():
        if name not in there:
            near = get_close_matches(name, there, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"{folder / level} has no module '{name}'.{hint} It has: {', '.join(there)}.")
    return [there[name] for name in modules] if modules is not None else list(there.values())


def _rows(files: Sequence[Path], versions: Any, limit: int | None) -> Iterator[dict[str, str]]:
    """One row of each file in turn; those that are at their end drop out."""
    readers = [islice(_read(path), limit) for path in files]
    while readers:
        rows = [(reader, next(reader, None)) for reader in readers]
        yield from (row for _, row in rows if row is not None)
        readers = [reader for reader, row in rows if row is not None]


def _read(path: Path) -> Iterator[dict[str, str]]:
    number = 0
    # Bytes, because an error of a decoding file knows nothing of lines.
    with path.open("rb") as file:
        lines = enumerate(file, start=1)
        for number, question in lines:
            _, answer = next(lines, (0, None))
            if answer is None:
                raise ValueError(f"{path}, line {number}: the file ends with a question that has no answer.")
            yield question_and_answer(_text(question, path, number), _text(answer, path, number + 1))
    if not number:
        raise ValueError(f"{path} is empty.")


def _text(line: bytes, path: Path, number: int) -> str:
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, line {number}: not UTF-8 ({error.reason}).") from None
    if not text:
        raise ValueError(f"{path}, line {number}: an empty line; questions and answers must alternate.")
    return text
