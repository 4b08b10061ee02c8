"""The columns that all sets share: prompt, completion and, where answers are numbers, their value."""

from collections.abc import Iterable, Mapping
from typing import Any

from datasets import Dataset, Features, Value

from .number_text import read_number

_TEXT = {"prompt": Value("string"), "completion": Value("string")}
TEXT_FEATURES = Features(_TEXT)
# Null in rows whose answer is not a number.
NUMERIC_FEATURES = Features({**_TEXT, "target": Value("float64")})


def to_dataset(rows: Iterable[Mapping[str, Any]], features: Features = NUMERIC_FEATURES) -> Dataset:
    """Rows, in memory, as a data set with exactly the columns of `features`, whatever their values are."""
    rows = list(rows)
    return Dataset.from_dict({name: [row[name] for row in rows] for name in features}, features=features)


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


def check_split(split: str, splits: Iterable[str], name: str, hint: str = "") -> None:
    """Raise `ValueError` for a split that the set `name` does not have; `hint` is a sentence to add."""
    if split not in splits:
        raise ValueError(f"{name} has the splits {', '.join(splits)}, not '{split}'.{hint and ' ' + hint}")
