"""The data sets that a recipe names as `task`: how each is loaded, its options, and where its answer is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datasets import Dataset, IterableDataset

from ..data.arithmetic import make_arithmetic
from ..data.calculations import make_calculations, make_multiplication
from ..data.cnn_dailymail import load_cnn_dailymail
from ..data.gsm8k import ANSWER_MARK, load_gsm8k
from ..data.mathematics import load_mathematics
from ..data.multirc import load_multirc
from ..data.ratings import make_ratings
from ..data.readings import make_readings
from ..data.rjokes import load_rjokes

# A set of 100,000 rows on which losses can be compared quickly: one module of Mathematics, its three levels evenly.
ARITHMETIC_MODULE, ARITHMETIC_ROWS = "arithmetic__add_sub_multiple", 33_333
# Its larger problems are a module of their own.
ARITHMETIC_EXTRAPOLATION_MODULE = "arithmetic__add_sub_multiple_longer"
_JOKES = "train.tsv, dev.tsv and test.tsv, or the same with .gz"


@dataclass(frozen=True)
class Task:
    """A data set that ntl_hf knows.

    Args:
        load: a split, from the data arguments, its name and how many rows are wanted at most (None: all).
        options: the fields of `DataArguments` that it reads and other sets may not.
        answer_mark: what the final answer stands after in a completion; None where the completion is the answer.
    """

    load: Callable[[Any, str, int | None], Dataset | IterableDataset]
    options: tuple[str, ...] = ("data_path",)
    answer_mark: str | None = None


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


def _generated(make: Callable[[str, int, int | None], Dataset]) -> Task:
    """A set that is drawn from `generator_seed` alone."""
    return Task(lambda args, split, limit: make(split, args.generator_seed, limit), ("generator_seed",))


def _folder(data_args: Any, content: str) -> str:
    if data_args.data_path is None:
        raise ValueError(f"`task: {data_args.task}` needs `data_path`, the folder of {content}. The hub has no data.")
    return data_args.data_path


TASKS: dict[str, Task] = {
    "gsm8k": Task(
        lambda args, split, _: load_gsm8k(args.data_path, split, args.keep_annotations, args.clean_numbers),
        ("data_path", "keep_annotations", "clean_numbers"),
        answer_mark=ANSWER_MARK,
    ),
    "mathematics": Task(_mathematics, ("data_path", "modules", "max_rows_per_file", "streaming")),
    "arithmetic": Task(_arithmetic, ("data_path", "generator_seed", "generator_scale")),
    "multiplication": _generated(make_multiplication),
    "calculations": _generated(make_calculations),
    "readings": _generated(make_readings),
    "ratings": _generated(make_ratings),
    "rjokes": Task(
        lambda args, split, _: load_rjokes(
            _folder(args, "train.tsv, dev.tsv and test.tsv, or the same with .gz"), split
        )
    ),
    "multirc": Task(
        lambda args, split, _: load_multirc(args.data_path, split, args.numeric_only), ("data_path", "numeric_only")
    ),
    "cnn_dailymail": Task(lambda args, split, limit: load_cnn_dailymail(args.data_path, split, limit)),
}
