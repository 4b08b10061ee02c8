"""The form that all data sets share: rows of prompt, completion and target, and the columns that hold them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from datasets import Dataset, Features, IterableDataset, Value

from .number_text import read_number

TEXT_FEATURES = Features({"prompt": Value("string"), "completion": Value("string")})
# Null in rows whose answer is not a number.
NUMERIC_FEATURES = Features({**TEXT_FEATURES, "target": Value("float64")})

# The paper's rules for GSM8K, which differ from the grammar of `number_text` on purpose: three digits after a space
# belong to the number before it, where an answer of `20 300` is unreadable. Digits only, ASCII: `\d` would match those
# of other scripts as well. A number that goes on is no group of three.
_SPACES = re.compile(r"(?<!\S)[$€£]?[0-9]{1,3}(?: [0-9]{3})+(?![0-9,])")
_COMMAS = re.compile(r"(?<![0-9,.])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
_BARE_POINT = re.compile(r"(?<![0-9.])\.(?=[0-9])")


def question_and_answer(question: str, answer: str) -> dict[str, str]:
    """`prompt` ("Question: ...\\nAnswer:") and `completion`, which starts with the space between the two."""
    return {"prompt": f"Question: {question}\nAnswer:", "completion": f" {answer}"}


def final_answer(text: str, mark: str | None = None) -> str | None:
    """What follows the first `mark`, to the end of its line; without a mark, the whole text.

    The first, and only the line: a model that has not learnt where to stop goes on with another question and its
    answer.

    Args:
        text: a completion, true or generated.
        mark: such as `####`; None where the completion is the answer.

    Returns:
        The stripped answer, which may be empty; None where the mark is missing.
    """
    if mark is None:
        return text.strip()
    _, found, after = text.partition(mark)
    return (after.strip().splitlines() or [""])[0].strip() if found else None


def clean_numbers(text: str) -> str:
    """Write `1 250 000` and `1,250,000` as `1250000`, and `.5` as `0.5`.

    The number-cleaned form of GSM8K in the paper (arXiv 2411.02083, the authors' repository tum-ai/number-token-loss):
    it removes separators of thousands, so that digits stand together, and gives every decimal a digit before the
    point. The same three rules, applied where the number stands: the authors replace the found text everywhere, which
    makes `10.5` of a `1.5` in a text that has `.5` as well. As there, three digits after a space belong to the number
    before it: `20 300` is one.
    """
    text = _SPACES.sub(lambda found: found[0].replace(" ", ""), text)
    text = _COMMAS.sub(lambda found: found[0].replace(",", ""), text)
    return _BARE_POINT.sub("0.", text)


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
