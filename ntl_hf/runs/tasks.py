"""The data sets that a recipe names as `task`: how each is loaded, its splits and options, and where its answer is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datasets import Dataset, IterableDataset

from ..data import (
    arithmetic,
    calculations,
    cnn_dailymail,
    gsm8k,
    load_cnn_dailymail,
    load_gsm8k,
    load_mathematics,
    load_multirc,
    load_rjokes,
    make_arithmetic,
    make_calculations,
    make_multiplication,
    make_ratings,
    make_readings,
    mathematics,
    multirc,
    ratings,
    readings,
    rjokes,
)

# A set of 100,000 rows on which losses can be compared quickly: one module of Mathematics, its three levels evenly.
ARITHMETIC_MODULE, ARITHMETIC_ROWS = "arithmetic__add_sub_multiple", 33_333
# Its larger problems are a module of their own.
ARITHMETIC_EXTRAPOLATION_MODULE = "arithmetic__add_sub_multiple_longer"


@dataclass(frozen=True)
class Task:
    """A data set that ntl_hf knows.

    Args:
        load: a split, from the data arguments, its name and how many rows are wanted at most (None: all).
        splits: their names.
        options: the fields of `DataArguments` that it reads and other sets may not.
        answer_mark: what the final answer stands after in a completion; None where the completion is the answer.
        is_numeric: whether every answer is a number; otherwise the column `target`, where there is one, has nulls.
    """

    load: Callable[[Any, str, int | None], Dataset | IterableDataset]
    splits: tuple[str, ...]
    options: tuple[str, ...] = ("data_path",)
    answer_mark: str | None = None
    is_numeric: bool = True


def _gsm8k(data_args: Any, split: str, limit: int | None) -> Dataset:
    return load_gsm8k(data_args.data_path, split, data_args.keep_annotations, data_args.clean_numbers)


def _mathematics(data_args: Any, split: str, limit: int | None) -> Dataset | IterableDataset:
    return load_mathematics(
        _folder(data_args, "DeepMind Mathematics v1.0, unpacked, with train-easy, train-medium, train-hard, ..."),
        split,
        data_args.modules,
        data_args.max_rows_per_file,
        limit,
        data_args.streaming,
    )


def _arithmetic(data_args: Any, split: str, limit: int | None) -> Dataset:
    if data_args.data_path is None:
        return make_arithmetic(split, data_args.generator_seed, limit, data_args.generator_scale)
    if data_args.generator_seed or data_args.generator_scale != "full":
        raise ValueError(
            "`generator_seed` and `generator_scale` are for generated rows; with `data_path` they are read. Remove "
            "`data_path`, or these."
        )
    module = ARITHMETIC_EXTRAPOLATION_MODULE if split == "extrapolate" else ARITHMETIC_MODULE
    rows = ARITHMETIC_ROWS if split == "train" else None
    return load_mathematics(data_args.data_path, split, [module], rows, limit, numbers_only=True)


def _generated(make: Callable[[str, int, int | None], Dataset], rows: Mapping[str, int]) -> Task:
    """A set that is drawn from `generator_seed` alone; `rows` has its splits."""
    return Task(
        lambda data_args, split, limit: make(split, data_args.generator_seed, limit), tuple(rows), ("generator_seed",)
    )


def _rjokes(data_args: Any, split: str, limit: int | None) -> Dataset:
    return load_rjokes(_folder(data_args, "train.tsv, dev.tsv and test.tsv, or the same with .gz"), split)


def _multirc(data_args: Any, split: str, limit: int | None) -> Dataset:
    return load_multirc(data_args.data_path, split, data_args.numeric_only)


def _cnn_dailymail(data_args: Any, split: str, limit: int | None) -> Dataset:
    return load_cnn_dailymail(data_args.data_path, split, limit)


def _folder(data_args: Any, content: str) -> str:
    if data_args.data_path is None:
        raise ValueError(f"`task: {data_args.task}` needs `data_path`, the folder of {content}. The hub has no data.")
    return data_args.data_path


TASKS: dict[str, Task] = {
    "gsm8k": Task(
        _gsm8k, gsm8k.SPLITS, ("data_path", "keep_annotations", "clean_numbers"), answer_mark=gsm8k.ANSWER_MARK
    ),
    "mathematics": Task(
        _mathematics,
        tuple(mathematics.SPLITS),
        ("data_path", "modules", "max_rows_per_file", "streaming"),
        is_numeric=False,
    ),
    "arithmetic": Task(_arithmetic, tuple(arithmetic.ROWS), ("data_path", "generator_seed", "generator_scale")),
    "multiplication": _generated(make_multiplication, calculations.PRODUCT_ROWS),
    "calculations": _generated(make_calculations, calculations.ROWS),
    "readings": _generated(make_readings, readings.ROWS),
    "ratings": _generated(make_ratings, ratings.ROWS),
    "rjokes": Task(_rjokes, rjokes.SPLITS),
    "multirc": Task(_multirc, multirc.SPLITS, ("data_path", "numeric_only"), is_numeric=False),
    "cnn_dailymail": Task(_cnn_dailymail, cnn_dailymail.SPLITS, is_numeric=False),
}
