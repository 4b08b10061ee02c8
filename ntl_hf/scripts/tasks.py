"""The data sets that a recipe names as `task`: each a function of the data arguments and the split."""

from collections.abc import Callable
from typing import Any

from datasets import Dataset

from ..data import load_gsm8k, load_mathematics

# A set of 100,000 rows on which losses can be compared quickly: one module of Mathematics, its three levels evenly.
ARITHMETIC_MODULE, ARITHMETIC_ROWS = "arithmetic__add_sub_multiple", 33_333


def _gsm8k(data_args: Any, split: str) -> Dataset:
    return load_gsm8k(data_args.data_path, split, data_args.keep_annotations)


def _mathematics(data_args: Any, split: str) -> Dataset:
    return load_mathematics(_folder(data_args), split, data_args.modules, data_args.max_rows_per_file)


def _arithmetic(data_args: Any, split: str) -> Dataset:
    rows = ARITHMETIC_ROWS if split == "train" else None
    return load_mathematics(_folder(data_args), split, [ARITHMETIC_MODULE], rows)


def _folder(data_args: Any) -> str:
    if data_args.data_path is None:
        raise ValueError(
            f"`task: {data_args.task}` needs `data_path`: the folder of DeepMind Mathematics v1.0, unpacked, with "
            "train-easy, train-medium, train-hard and interpolate. The hub has only a script that makes it."
        )
    return data_args.data_path


TASKS: dict[str, Callable[[Any, str], Dataset]] = {
    "gsm8k": _gsm8k,
    "mathematics": _mathematics,
    "arithmetic": _arithmetic,
}
