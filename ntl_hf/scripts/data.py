"""The data of a recipe: a task that ntl_hf knows, or any data set with the columns that the trainer takes."""

from dataclasses import dataclass, field

from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetsError

from .tasks import TASKS


@dataclass
class DataArguments:
    """What to train on: a task that ntl_hf knows, or any data set with the columns that the trainer takes."""

    task: str | None = field(
        default=None,
        metadata={
            "help": "A data set by name: 'gsm8k', 'mathematics' (DeepMind Mathematics v1.0) or 'arithmetic' (its "
            "module arithmetic__add_sub_multiple, 33,333 rows of each level).",
            "choices": list(TASKS),
        },
    )
    data_path: str | None = field(
        default=None,
        metadata={
            "help": "Local folder of the task. gsm8k: train.jsonl and test.jsonl, default the hub; mathematics, "
            "arithmetic: train-easy, train-medium, train-hard and interpolate."
        },
    )
    keep_annotations: bool = field(
        default=False, metadata={"help": "gsm8k: keep the calculator annotations, such as <<48/2=24>>."}
    )
    modules: list[str] | None = field(
        default=None, metadata={"help": "mathematics: the modules by name, such as arithmetic__mul. Default: all."}
    )
    max_rows_per_file: int | None = field(
        default=None, metadata={"help": "mathematics: rows of each module and level. Default: all."}
    )
    dataset_name: str | None = field(
        default=None,
        metadata={
            "help": "Hub id or folder of a data set with 'prompt' and 'completion', 'text' or, for sft, 'messages'."
        },
    )
    dataset_config: str | None = field(default=None, metadata={"help": "Configuration of `dataset_name`."})
    dataset_train_split: str = field(default="train", metadata={"help": "Split to train on."})
    dataset_test_split: str = field(default="test", metadata={"help": "Split to evaluate on."})
    max_train_samples: int | None = field(default=None, metadata={"help": "Train on the first rows only."})
    max_eval_samples: int | None = field(default=None, metadata={"help": "Evaluate on the first rows only."})

    def __post_init__(self) -> None:
        # A recipe with one module reads better without the brackets.
        self.modules = [self.modules] if isinstance(self.modules, str) else self.modules


def load_data(data_args: DataArguments, evaluates: bool) -> tuple[Dataset, Dataset | None]:
    """Load the rows to train on and, if the run evaluates, those to evaluate on.

    Raises:
        ValueError: no data set or two are named, options that it does not have, an unknown split, or no rows.
        OSError: its files are missing.
    """
    _check_arguments(data_args)
    train = _load_split(data_args, data_args.dataset_train_split, data_args.max_train_samples)
    if not evaluates:
        return train, None
    return train, _load_split(data_args, data_args.dataset_test_split, data_args.max_eval_samples)


def _check_arguments(data_args: DataArguments) -> None:
    if (data_args.task is None) == (data_args.dataset_name is None):
        raise ValueError("Name the data: either `task: gsm8k` or `dataset_name: HUB_ID_OR_FOLDER`.")
    if data_args.data_path is not None and data_args.task is None:
        raise ValueError("`data_path` is the folder of a `task`; give a data set's folder as `dataset_name`.")
    for name in ("modules", "max_rows_per_file"):
        if getattr(data_args, name) is not None and data_args.task != "mathematics":
            raise ValueError(f"`{name}` is an option of `task: mathematics`; remove it.")
    for name in ("max_train_samples", "max_eval_samples"):
        limit = getattr(data_args, name)
        if limit is not None and limit < 1:
            raise ValueError(f"`{name}` must be 1 or more, not {limit}.")


def _load_split(data_args: DataArguments, split: str, limit: int | None) -> Dataset:
    dataset = _load_named(data_args, split) if data_args.task is None else TASKS[data_args.task](data_args, split)
    dataset = dataset if limit is None else dataset.select(range(min(limit, len(dataset))))
    if not len(dataset):
        raise ValueError(f"The split '{split}' has no rows.")
    return dataset


def _load_named(data_args: DataArguments, split: str) -> Dataset:
    try:
        dataset = load_dataset(data_args.dataset_name, data_args.dataset_config, split=split)
    except DatasetsError as error:
        raise ValueError(f"{data_args.dataset_name} cannot be read: {error.__cause__ or error}") from error
    for name in ("prompt", "completion", "text"):
        if name in dataset.column_names and dataset.data.column(name).null_count:
            raise ValueError(
                f"{data_args.dataset_name}, split '{split}': {dataset.data.column(name).null_count} rows have no "
                f"'{name}' (null); remove them or fill them in."
            )
    return dataset
