"""The form that all data sets share: rows of prompt, completion and target, and the columns that hold them."""

from collections.abc import Iterable, Mapping
from typing import Any

from datasets import Dataset, Features, IterableDataset, Value

from .number_text import read_number

TEXT_FEATURES = Features({"prompt": Value("string"), "completion": Value("string")})
# Null in rows whose answer is not a number.
NUMERIC_FEATURES = Features({**TEXT_FEATURES, "target": Value("float64")})


def question_and_answer(question: str, answer: str) -> dict[str, str]:
    """`prompt` ("Question: ...\\nAnswer:") and `completion`, which starts with the space between the two."""
    return {"prompt": f"Question: {question}\nAnswer:", "completion": f" {answer}"}


def number_in(text: str, where: str) -> float:
    """The number that `text` is, of a set whose answers are numbers.

    Args:
        text: the whole answer.
        where: file and line, for the error.

    Raises:
        ValueError: the text is not one number.
    """
    number = read_number(text)
    if number is None:
        raise ValueError(f"{where}: the answer is {text.strip()[:60]!r}; a number is needed. Mend or remove the row.")
    return number


def to_dataset(rows: Iterable[Mapping[str, Any]], features: Features = NUMERIC_FEATURES) -> Dataset:
    """Rows, in memory, as a data set with exactly the columns of `features`, whatever their values are."""
    rows = list(rows)
    return Dataset.from_dict({name: [row[name] for row in rows] for name in features}, features=features)


def check_split(split: str, splits: Iterable[str], name: str, hint: str = "") -> None:
    """Raise `ValueError` for a split that the set `name` does not have; `hint` is a sentence to add."""
    if split not in splits:
        raise ValueError(f"{name} has the splits {', '.join(splits)}, not '{split}'.{hint and ' ' + hint}")


def check_has_rows(dataset: Any, source: str = "The data set") -> None:
    """Raise `ValueError` if a data set of whatever kind has no rows; of a stream, the first is read."""
    if next(iter(dataset), None) is None:
        raise ValueError(f"{source} has no rows.")


def column_names(dataset: Dataset | IterableDataset) -> list[str]:
    """The columns of a data set; of a stream that does not know them, those of its first row.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(dataset, (Dataset, IterableDataset)):
        kind = type(dataset).__name__
        hint = (
            "Take one of its splits." if isinstance(dataset, dict) else "`Dataset.from_list(rows)` makes one of rows."
        )
        raise TypeError(f"A `datasets.Dataset` or `IterableDataset` is needed, this is a {kind}. {hint}")
    return list(dataset.column_names or next(iter(dataset), {}))


def unformatted(dataset: Any) -> Any:
    """The data set with rows of Python's own types, where it had those of numpy, pandas or others."""
    # A transform is no format: it is what the rows are.
    is_plain = isinstance(dataset, Dataset) and dataset.format["type"] in (None, "custom")
    return dataset if is_plain else dataset.with_format(None)
