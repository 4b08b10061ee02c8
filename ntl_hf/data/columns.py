"""Any data set in the columns that the trainers take, by a mapping."""

import warnings
from collections.abc import Mapping
from string import Formatter
from typing import Any

from datasets import Dataset, Features, Value

from ..settings.errors import did_you_mean
from .number_text import read_number
from .sets import unformatted
from .text_columns import as_texts

NAMES = ("prompt", "completion", "text", "target")


def map_columns(dataset: Dataset, columns: Mapping[str, str], source: str) -> Dataset:
    """A data set of the columns that `columns` describes.

    Args:
        dataset: any data set.
        columns: for each of `prompt`, `completion`, `text` or `target` the name of a column, or a text with names in
            braces, such as "Question: {question}\\nAnswer:"; `{{` is a brace. `target` becomes float64; a whole number
            that is another one then (beyond 2^53) is warned of once.
        source: what the data set is called in errors.

    Raises:
        ValueError: another name than these, a column that is not there, a column in a text that holds neither texts
            nor whole numbers (see `as_texts`), and with the row's number (from 1), a value that is missing (null) or
            a `target` that is no number.
    """
    dataset = _exact(unformatted(dataset), columns.get("target"))
    parts = {name: _parse(name, text, dataset.column_names, source) for name, text in columns.items()}
    in_texts = {column for name in parts if name != "target" for _, column in parts[name] if column is not None}
    dataset = as_texts(dataset, sorted(in_texts), source)
    features = Features({name: Value("float64" if name == "target" else "string") for name in columns})
    return dataset.map(
        _map_row,
        with_indices=True,
        fn_kwargs={"parts": parts, "source": source},
        remove_columns=dataset.column_names,
        features=features,
        desc="Mapping columns",
    )


def read_targets(dataset: Dataset, source: str) -> Dataset:
    """The data set with its `target`, if it has one, as float64; null stays, for a row whose answer is no number.

    Raises:
        ValueError: a target that is no number, with the number of its row.
    """
    if "target" not in dataset.column_names:
        return dataset
    features = Features({**dataset.features, "target": Value("float64")})
    dataset = _exact(unformatted(dataset), "target")
    return dataset.map(
        _read_target, with_indices=True, fn_kwargs={"source": source}, features=features, desc="Reading targets"
    )


def _read_target(row: dict[str, Any], index: int, source: str) -> dict[str, Any]:
    if row["target"] is None:
        return row
    return _map_row(row, index, {"target": [("", "target")]}, source)


def _exact(dataset: Dataset, target: Any) -> Dataset:
    """With a target of single precision as the decimal that was meant: its 0.1 is 0.10000000149 as a float64."""
    is_single = getattr(dataset.features.get(target), "dtype", None) == "float32"
    return dataset.cast_column(target, Value("string")) if is_single else dataset


Parts = list[tuple[str, str | None]]


def _parse(name: str, text: Any, there: list[str], source: str) -> Parts:
    """Pairs of text and the column that follows it; None where none does."""
    if name not in NAMES:
        raise ValueError(
            f"`columns` has an unknown key '{name}'.{did_you_mean(name, NAMES)} Known are {', '.join(NAMES)}."
        )
    if not isinstance(text, str):
        raise ValueError(f"`columns`: '{name}' is {text!r}; give a column's name, or a text with names in braces.")
    parts: Parts = [("", text)]
    if text not in there and ("{" in text or "}" in text):
        try:
            pieces = list(Formatter().parse(text))
        except ValueError as error:
            raise ValueError(f"`columns`: '{name}' is {text!r}: {error}. Write {{{{ for a brace.") from None
        if any(format_ or conversion for _, _, format_, conversion in pieces):
            raise ValueError(f"`columns`: '{name}' is {text!r}; in braces there is a column's name, and no format.")
        parts = [(literal, column) for literal, column, _, _ in pieces]
    for _, column in parts:
        if column is not None and column not in there:
            raise ValueError(
                f"{source} has no column '{column}'.{did_you_mean(column, there)} It has: {', '.join(there)}."
            )
    return parts


def _map_row(row: dict[str, Any], index: int, parts: dict[str, Parts], source: str) -> dict[str, Any]:
    where = f"{source}, row {index + 1}"
    texts = {name: _text(row, each, where) for name, each in parts.items()}
    return {name: _number(text, where) if name == "target" else text for name, text in texts.items()}


def _text(row: dict[str, Any], parts: Parts, where: str) -> str:
    for _, column in parts:
        value = "" if column is None else row[column]
        if value is None:
            raise ValueError(f"{where}: '{column}' is missing (null); fill it in or remove the row.")
        if not isinstance(value, (str, int, float)):
            raise ValueError(f"{where}: '{column}' is a {type(value).__name__}; a text or a number is needed.")
    return "".join(f"{literal}{'' if column is None else row[column]}" for literal, column in parts)


def _number(text: str, where: str) -> float:
    number = read_number(text)
    if number is None:
        raise ValueError(f"{where}: the target is {text[:60]!r}; a number is needed. Mend or remove the row.")
    _warn_of_rounding(text, number)
    return number


def _warn_of_rounding(text: str, number: float) -> None:
    digits = text.strip().replace(",", "")
    # The longest of a float64 has 309; where there are letters, it is no whole number.
    if abs(number) >= 2**53 and len(digits) < 400 and digits.lstrip("+-").isdecimal() and int(digits) != number:
        # Python shows the same warning once.
        warnings.warn(
            "A target is a whole number beyond 2^53, of which float64 keeps about 16 digits: targets and answers that "
            "differ in the others count as equal."
        )
