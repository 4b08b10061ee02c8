"""DeepMind Mathematics v1.0 (Saxton et al. 2019, arXiv 1904.01557) as prompt and completion."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

import yaml
from datasets import Dataset, IterableDataset
from datasets.exceptions import DatasetGenerationError

from ..settings.errors import did_you_mean
from .lines import read_lines
from .number_text import read_number
from .sets import NUMERIC_FEATURES, check_split, number_in, question_and_answer

# The modules of the paper (arXiv 2411.02083): trained and tested on the first, 13 with numbers as answers; the second
# are its 7 of larger problems. Names as in DeepMind's own list (arXiv 1904.01557).
PAPER = "paper"
_NAMES = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
PAPER_MODULES, PAPER_EXTRAPOLATION_MODULES = tuple(_NAMES["paper"]), tuple(_NAMES["paper_extrapolation"])
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
    max_rows: int | None = None,
    streaming: bool = False,
    numbers_only: bool = False,
) -> Any:
    """Load a split as columns `prompt` ("Question: ...\\nAnswer:"), `completion` and `target`.

    The rows of all files take turns, so that the first n of them are spread evenly over modules and levels. They are
    read once and kept in the cache of `datasets`, on disk; the whole set has 112 million, for which `streaming` is.

    Args:
        folder: the unpacked set, with the folders train-easy, train-medium, train-hard, interpolate and extrapolate.
        split: "train", "interpolate", "extrapolate" or "test", which is interpolate.
        modules: names of files without ".txt", such as "arithmetic__mul", or "paper": the 13 modules of arXiv
            2411.02083, of `extrapolate` its 7; None takes all.
        max_rows_per_file: read no further in each file; None reads all.
        max_rows: read no further in all; None reads all.
        streaming: read the rows whenever they are asked for, and keep none.
        numbers_only: refuse answers that are not numbers.

    Returns:
        A `Dataset`, or an `IterableDataset` while streaming. `target` is the answer's value, float64, and None where
        it is not a number, such as `2*x`.

    Raises:
        ValueError: unknown split or module, no modules, a limit below 1; with file and line, a question without an
            answer, an empty line, one that is not UTF-8 or, with `numbers_only`, an answer that is no number. While
            streaming, the latter when the row is read.
        FileNotFoundError: a folder of the split is missing or has no modules.
    """
    check_split(split, SPLITS, "Mathematics")
    for name, limit in (("max_rows_per_file", max_rows_per_file), ("max_rows", max_rows)):
        if limit is not None and limit < 1:
            raise ValueError(f"`{name}` must be 1 or more, not {limit}.")
    files = tuple(path for level in SPLITS[split] for path in _files(Path(folder), level, modules))
    # What the cache knows the rows by: files that have changed are read again.
    versions = tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    arguments = {
        "files": files,
        "versions": versions,
        "per_file": max_rows_per_file,
        "limit": max_rows,
        "numbers_only": numbers_only,
    }
    if streaming:
        return IterableDataset.from_generator(_rows, features=NUMERIC_FEATURES, gen_kwargs=arguments)
    try:
        return Dataset.from_generator(_rows, features=NUMERIC_FEATURES, gen_kwargs=arguments)
    except DatasetGenerationError as error:
        raise error.__cause__ or error from None


def named_modules(modules: Sequence[str] | None, level: str) -> list[str] | None:
    """`modules` with "paper" replaced by the paper's of this level, each name once; None stays None.

    Args:
        modules: names as given by a user.
        level: a folder of the set: "train-easy", ..., "interpolate" or "extrapolate".

    Raises:
        ValueError: there are none.
    """
    if modules is None:
        return None
    if not modules:
        raise ValueError("`modules` names no modules; leave it out to take all.")
    papers = PAPER_EXTRAPOLATION_MODULES if level == "extrapolate" else PAPER_MODULES
    names = (name for each in modules for name in (papers if each == PAPER else (each,)))
    return list(dict.fromkeys(names))


def _files(folder: Path, level: str, modules: Sequence[str] | None) -> list[Path]:
    """The files of a level, those of `modules` or all."""
    names = named_modules(modules, level)
    there = {path.stem: path for path in sorted((folder / level).glob("*.txt"))}
    if not there:
        found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else "no such folder"
        raise FileNotFoundError(f"Mathematics needs {folder / level} with a text file a module; found: {found}.")
    for name in names or ():
        if name not in there:
            hint = did_you_mean(name, [*there, PAPER])
            raise ValueError(f"{folder / level} has no module '{name}'.{hint} It has: {', '.join(there)}.")
    return [there[name] for name in names] if names is not None else list(there.values())


def _rows(
    files: Sequence[Path], versions: Any, per_file: int | None, limit: int | None, numbers_only: bool
) -> Iterator[dict[str, Any]]:
    readers = [islice(_read(path, numbers_only), per_file) for path in files]
    # Files take turns; those that are at their end give None.
    in_turn = (row for row in chain.from_iterable(zip_longest(*readers)) if row is not None)
    yield from islice(in_turn, limit)


def _read(path: Path, numbers_only: bool) -> Iterator[dict[str, Any]]:
    is_empty = True
    lines = read_lines(path)
    for where, line in lines:
        is_empty = False
        answer_at, answer = next(lines, (where, None))
        if answer is None:
            raise ValueError(f"{where}: the file ends with a question that has no answer.")
        question, answer = _text(line, where), _text(answer, answer_at)
        target = number_in(answer, answer_at) if numbers_only else read_number(answer)
        yield {**question_and_answer(question, answer), "target": target}
    if is_empty:
        raise ValueError(f"{path} is empty.")


def _text(line: str, where: str) -> str:
    text = line.strip()
    if not text:
        raise ValueError(f"{where}: an empty line; questions and answers must alternate.")
    return text
