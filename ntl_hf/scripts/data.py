"""The data of a recipe: a task that ntl_hf knows, or any data set with the columns that TRL takes."""

from dataclasses import dataclass, field

from datasets import Dataset, IterableDataset, load_dataset

from ..data import load_gsm8k


@dataclass
class DataArguments:
    """What to train on: a task that ntl_hf knows, or any data set with the columns that TRL takes."""

    task: str | None = field(default=None, metadata={"help": "A data set by name: 'gsm8k'.", "choices": ["gsm8k"]})
    data_path: str | None = field(
        default=None,
        metadata={"help": "Local folder of the task (gsm8k: train.jsonl and test.jsonl). Default: the hub."},
    )
    keep_annotations: bool = field(
        default=False, metadata={"help": "gsm8k: keep the calculator annotations, such as <<48/2=24>>."}
    )
    dataset_name: str | None = field(
        default=None,
        metadata={"help": "Hub id or folder of a data set with 'prompt' and 'completion', 'messages' or 'text'."},
    )
    dataset_config: str | None = field(default=None, metadata={"help": "Configuration of `dataset_name`."})
    dataset_train_split: str = field(default="train", metadata={"help": "Split to train on."})
    dataset_test_split: str = field(default="test", metadata={"help": "Split to evaluate on."})
    max_train_samples: int | None = field(default=None, metadata={"help": "Train on the first rows only."})
    max_eval_samples: int | None = field(default=None, metadata={"help": "Evaluate on the first rows only."})


def load_split(data_args: DataArguments, split: str, limit: int | None) -> Dataset | IterableDataset:
    """Load one split.

    Raises:
        ValueError: no data set or two are named, an unknown split, or no rows.
    """
    if (data_args.task is None) == (data_args.dataset_name is None):
        raise ValueError("Name the data: either `task: gsm8k` or `dataset_name: HUB_ID_OR_FOLDER`.")
    if data_args.data_path is not None and data_args.task is None:
        raise ValueError("`data_path` is the folder of a `task`; give a data set's folder as `dataset_name`.")
    if limit is not None and limit < 1:
        raise ValueError(f"`max_train_samples` and `max_eval_samples` must be 1 or more, not {limit}.")
    if data_args.task == "gsm8k":
        dataset = load_gsm8k(data_args.data_path, split, data_args.keep_annotations)
    else:
        dataset = load_dataset(data_args.dataset_name, data_args.dataset_config, split=split)
    dataset = dataset if limit is None else dataset.select(range(min(limit, len(dataset))))
    if not len(dataset):
        raise ValueError(f"The split '{split}' has no rows.")
    return dataset
