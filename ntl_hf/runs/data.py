"""The data of a recipe: a task that ntl_hf knows, or any data set with the columns that the trainer takes."""

from dataclasses import replace
from typing import Any

from datasets import Dataset, IterableDataset

from ..data import is_data_file, load_named, map_columns, read_targets
from ..data.text_columns import as_texts
from .data_arguments import DataArguments, check_arguments
from .tasks import TASKS

__all__ = ["DataArguments", "load_data", "load_eval_data"]


def load_data(
    data_args: DataArguments, evaluates: bool, max_steps: int | None = None
) -> tuple[Dataset | IterableDataset, Dataset | None]:
    """Load the rows to train on and, if the run evaluates, those to evaluate on.

    Args:
        data_args: which; with `streaming`, the training rows alone are a stream.
        evaluates: whether the rows to evaluate on are wanted.
        max_steps: of the training arguments, which a stream needs; None leaves that to the trainer.

    Raises:
        ValueError: no data set or two are named, options that it does not have, an unknown split, no rows, or rows
            that are broken.
        OSError: its files are missing.
    """
    check_arguments(data_args)
    if data_args.streaming and max_steps is not None and max_steps < 1:
        raise ValueError("`streaming` needs `max_steps`: how many rows there are is not known before all are read.")
    if evaluates and data_args.dataset_name is not None and is_data_file(data_args.dataset_name):
        raise ValueError(
            f"{data_args.dataset_name} is one file, so there is nothing to evaluate on: put a file for each split "
            "(train.jsonl, test.jsonl) into a folder and name the folder, or set `eval_strategy: 'no'`."
        )
    train = _load_split(data_args, data_args.dataset_train_split, data_args.max_train_samples)
    return train, load_eval_data(data_args) if evaluates else None


def load_eval_data(data_args: DataArguments) -> Dataset:
    """Load the rows of `dataset_test_split`, the first `max_eval_samples`; errors as of `load_data`."""
    check_arguments(data_args)
    # All of them are read in any case.
    not_streamed: Any = replace(data_args, streaming=False)
    return _load_split(not_streamed, data_args.dataset_test_split, data_args.max_eval_samples)


def _load_split(data_args: DataArguments, split: str, limit: int | None) -> Any:
    if data_args.task is None:
        dataset: Any = _load_named(data_args, split, limit)
    else:
        dataset = TASKS[data_args.task].load(data_args, split, limit)
    if isinstance(dataset, IterableDataset):
        return dataset
    dataset = _first(dataset, limit)
    if not len(dataset):
        raise ValueError(f"The split '{split}' has no rows.")
    return dataset


def _load_named(data_args: DataArguments, split: str, limit: int | None) -> Dataset:
    name = str(data_args.dataset_name)
    dataset = _first(load_named(name, data_args.dataset_config, split), limit)
    if data_args.columns is not None:
        if not isinstance(data_args.columns, dict) or not data_args.columns:
            raise ValueError("`columns` must be names and columns, such as `prompt: question` on a line of its own.")
        return map_columns(dataset, data_args.columns, f"{name}, split '{split}'")
    source = f"{name}, split '{split}'"
    texts = [column for column in ("prompt", "completion", "text", "messages") if column in dataset.column_names]
    # A text beside a prompt and its completion is not read.
    texts = texts[:2] if texts[:2] == ["prompt", "completion"] else texts
    return as_texts(read_targets(dataset, source), texts, source, turns=True)


def _first(dataset: Dataset, limit: int | None) -> Dataset:
    return dataset if limit is None or limit >= len(dataset) else dataset.select(range(limit))
