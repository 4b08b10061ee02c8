"""The data of a recipe: its arguments, and the rows of a task or of any data set with columns that fit."""

import json
from dataclasses import dataclass, replace
from typing import Any

from datasets import Dataset, IterableDataset

from ..data import is_data_file, load_named, map_columns, read_targets
from ..data.text_columns import as_texts
from ..settings.checks import check_belonging, documented, setting
from .tasks import TASKS


@documented
@dataclass
class DataArguments:
    r"""What to train on: a task that ntl_hf knows, or any data set with the columns that the trainer takes.

    Attributes:
        task: A data set by name: 'gsm8k'; 'mathematics' (DeepMind Mathematics v1.0); 'arithmetic' (its module
            arithmetic__add_sub_multiple, 33,333 rows of each level, or generated in its form); 'multiplication' (1 to
            6 digits a factor, generated); 'calculations' (sums, differences, products in one width, generated);
            'readings' (noisy values of small expressions, generated); 'ratings' (reviews with a score from 0 to 10,
            generated); 'rjokes'; 'multirc'; 'cnn_dailymail' (no numbers, a control).
        data_path: Local folder of the task. gsm8k: train.jsonl and test.jsonl, default the hub; mathematics:
            train-easy, train-medium, train-hard, interpolate and extrapolate; arithmetic: the same, default generated;
            rjokes: train.tsv, dev.tsv and test.tsv (or .gz); multirc: train.jsonl and val.jsonl, default the hub;
            cnn_dailymail: a file a split with 'article' and 'highlights', default the hub.
        keep_annotations: gsm8k: keep the calculator annotations, such as <<48/2=24>>.
        clean_numbers: gsm8k: the paper's number-cleaned form: 1,250 and 1 250 become 1250, .5 becomes 0.5.
        modules: mathematics: the modules by name, such as arithmetic__mul, or 'paper', the paper's 13 (of extrapolate,
            its 7). Default: all.
        max_rows_per_file: mathematics: rows of each module and level. Default: all.
        streaming: mathematics: read the training rows while training, and keep no copy on disk; needs `max_steps`.
        numeric_only: multirc: only the questions whose right answers are one number.
        generator_seed: arithmetic, multiplication, calculations, readings, ratings: the seed of generated rows.
        generator_scale: arithmetic, generated: 'full', as DeepMind's module, or 'small': one operation on two numbers,
            which a small model learns in minutes.
        dataset_name: Hub id, folder or file (CSV, TSV, JSON lines, parquet) of a data set with 'prompt' and
            'completion', 'text' or, for sft, 'messages', or with others that `columns` names.
        dataset_config: Configuration of `dataset_name`.
        columns: dataset_name: where 'prompt', 'completion', 'text' and 'target' come from: a column each, or a text
            with columns in braces. On the command line as JSON: '{"prompt": "Question: {q}\nAnswer:", "completion": "
            {a}", "target": "a"}'.
        answer_mark: What the final answer stands after in a completion. Default: the task's own, '####' for gsm8k;
            without one, the completion is the answer.
        dataset_train_split: Split to train on.
        dataset_test_split: Split to evaluate on.
        max_train_samples: Train on the first rows only.
        max_eval_samples: Evaluate on the first rows only.
    """

    task: str | None = setting(None, choices=list(TASKS))
    data_path: str | None = None
    keep_annotations: bool = False
    clean_numbers: bool = False
    modules: list[str] | None = None
    max_rows_per_file: int | None = None
    streaming: bool = False
    numeric_only: bool = False
    generator_seed: int = 0
    generator_scale: str = "full"
    dataset_name: str | None = None
    dataset_config: str | None = None
    columns: dict[str, str] | str | None = None
    answer_mark: str | None = None
    dataset_train_split: str = "train"
    dataset_test_split: str = "test"
    max_train_samples: int | None = None
    max_eval_samples: int | None = None

    def __post_init__(self) -> None:
        # A recipe with one module reads better without the brackets.
        self.modules = [self.modules] if isinstance(self.modules, str) else self.modules
        self.columns = _parse_columns(self.columns) if isinstance(self.columns, str) else self.columns
        # No mark is the task's own, the empty one is none.
        if self.answer_mark is None and self.task in TASKS:
            self.answer_mark = TASKS[self.task].answer_mark
        self.answer_mark = self.answer_mark or None


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
    _check_arguments(data_args)
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
    _check_arguments(data_args)
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
    name, columns = str(data_args.dataset_name), data_args.columns
    dataset, source = _first(load_named(name, data_args.dataset_config, split), limit), f"{name}, split '{split}'"
    if columns is not None:
        if not isinstance(columns, dict) or not columns:
            raise ValueError("`columns` must be names and columns, such as `prompt: question` on a line of its own.")
        return map_columns(dataset, columns, source)
    texts = [column for column in ("prompt", "completion", "text", "messages") if column in dataset.column_names]
    # A text beside a prompt and its completion is not read.
    texts = texts[:2] if texts[:2] == ["prompt", "completion"] else texts
    return as_texts(read_targets(dataset, source), texts, source, turns=True)


def _first(dataset: Dataset, limit: int | None) -> Dataset:
    return dataset if limit is None or limit >= len(dataset) else dataset.select(range(limit))


def _check_arguments(data_args: DataArguments) -> None:
    """Raise `ValueError` for arguments that contradict each other, before anything is read."""
    if (data_args.task is None) == (data_args.dataset_name is None):
        raise ValueError("Name the data: either `task: gsm8k` or `dataset_name: HUB_ID_OR_FOLDER`.")
    if data_args.task is not None and data_args.task not in TASKS:
        raise ValueError(f"`task` must be one of {', '.join(TASKS)}, not '{data_args.task}'.")
    if data_args.data_path is not None and data_args.task is None:
        raise ValueError("`data_path` is the folder of a `task`; give a data set's folder as `dataset_name`.")
    options = {f"task: {name}": task.options for name, task in TASKS.items()}
    chosen = "dataset_name" if data_args.task is None else f"task: {data_args.task}"
    check_belonging(data_args, chosen, {"dataset_name": ("columns", "dataset_config"), **options})
    for name in ("max_train_samples", "max_eval_samples"):
        limit = getattr(data_args, name)
        if limit is not None and limit < 1:
            raise ValueError(f"`{name}` must be 1 or more, not {limit}.")


def _parse_columns(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"`columns` is not valid JSON ({error.msg} at column {error.colno}); write it as "
            '\'{"prompt": "question", "completion": "answer"}\'.'
        ) from None
