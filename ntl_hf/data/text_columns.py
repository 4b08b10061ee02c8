"""Columns of text that hold something else: whole numbers become texts, what has no one spelling is refused."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets import ClassLabel, Dataset, Features, IterableDataset, Json, LargeList, List, Value

from .row_features import ExactJson
from .sets import unformatted

# Where a turn of a conversation has texts.
TURN_TEXTS = frozenset({"content", "value", "reasoning_content", "reasoning", "thinking", "name"})
# What tells whose turn it is.
_SPEAKER = frozenset({"role", "from"})
_NO_SPEAKER = "turns without a 'role' (or 'from'), so that it is no conversation; say whose turn each is."
_EMPTY = "the conversation '{}' is empty; remove the row or fill it in."
_NULL_TURN = "'{}' has a turn that is null; remove it."
_STRINGS = ("string", "large_string", "string_view")
_NUMBERS = "2 or 2.0, 1.5 or 1.50"
# By how the name of the type begins.
_SPELLINGS = {"float": _NUMBERS, "decimal": _NUMBERS, "bool": "true or True"}


def as_texts(dataset: Any, names: Sequence[str], source: str = "The data set", turns: bool = False) -> Any:
    """The data set with the whole numbers in `names` as texts: there is one way to write them.

    Args:
        dataset: a `Dataset`, or an `IterableDataset`, whose first row is looked at now, and the others when they are
            read.
        names: the columns in which texts are needed.
        source: what the data set is called in errors.
        turns: whether these may also be conversations: lists of turns, whose `content` (or `value`) is treated alike.

    Returns:
        A data set of the same kind without a format, the same one where all are known to be texts; of a stream that
        is, nulls are then the reader's.

    Raises:
        ValueError: a column has floats, truth values, dates, class labels, lists, or values of several types, with
            its name, its type and what to do; or rows have nothing there (null, a conversation without turns).
    """
    dataset = unformatted(dataset)
    _warn_of_shift(dataset, source)
    if isinstance(dataset, IterableDataset):
        return _stream_as_texts(dataset, names, source, turns)
    typed = text_features(dataset.features, names, source, turns)
    conversations = frozenset(name for name in names if not isinstance(typed[name], Value))
    spelling = _Spelling(tuple(names), source, conversations)
    for name in names:
        _check_nulls(dataset, name, source)
    # Of texts and whole numbers, nothing is to be found in the rows.
    if not conversations or all(
        spelling.row(row, i) == row for i, row in enumerate(dataset.select_columns(list(names)))
    ):
        return dataset if typed == dataset.features else dataset.cast(typed)
    # A turn is stored whole: its text alone, of digits, would become a number.
    mixed = {name: List(ExactJson()) for name in names if _has_json(typed[name])}
    return dataset.map(spelling.row, with_indices=True, features=Features({**typed, **mixed}), desc="Checking texts")


def _stream_as_texts(dataset: IterableDataset, names: Sequence[str], source: str, turns: bool) -> IterableDataset:
    typed = None if dataset.features is None else text_features(dataset.features, names, source, turns)
    first: dict[str, Any] = next(iter(dataset), {})
    lists = frozenset(name for name in names if turns and isinstance(first.get(name), list))
    spelling = _Spelling(tuple(names), source, lists)
    if first:
        spelling.row(first, 0)
    if typed == dataset.features and typed is not None and not turns:
        return dataset  # whoever reads texts alone sees a null, and much faster than a map of rows
    known = typed is not None and not any(_has_json(typed[name]) for name in names)
    return dataset.map(spelling.row, with_indices=True, features=typed if known else None)


def _check_nulls(dataset: Dataset, name: str, source: str) -> None:
    # The table still has rows that have been taken out of the set.
    has_nulls = dataset.data.column(name).null_count > 0
    nulls = [row for row, value in enumerate(dataset[name], start=1) if value is None] if has_nulls else []
    if nulls:
        raise ValueError(
            f"{source}: {len(nulls)} rows have no '{name}' (null), the first of them row {nulls[0]}; remove them "
            "or fill them in."
        )


def _warn_of_shift(dataset: Any, source: str) -> None:
    """`datasets` takes the first of too many fields of CSV rows for an index, and the others move to the left."""
    index = (dataset.features or {}).get("__index_level_0__")
    if index is not None and getattr(index, "dtype", None) in _STRINGS:
        warnings.warn(
            f"{source} has the column '__index_level_0__', with texts: if it was read from CSV, its rows have one "
            "field more than the header, and all columns have moved by one. Name every column."
        )


def text_features(features: Features, names: Sequence[str], source: str, turns: bool = False) -> Features:
    """The features when all of `names` are texts; errors as of `as_texts`."""
    found = {}
    for name in names:
        try:
            found[name] = (_turns_feature(features[name]) if turns else None) or _text_feature(features[name])
        except TypeError as error:
            raise ValueError(f"{source}: the column '{name}' {error}") from None
    return Features({**features, **found})


def _text_feature(feature: Any) -> Value:
    if isinstance(feature, Value) and feature.dtype in _STRINGS:
        return feature
    if isinstance(feature, Value) and feature.dtype.startswith(("int", "uint")):
        return Value("string")
    raise TypeError(_need(feature))


def _turns_feature(feature: Any) -> Any:
    """That of conversations as texts; None where it is none of conversations."""
    if isinstance(feature, Json):
        return feature
    if not isinstance(feature, (List, LargeList)):
        return None
    if isinstance(feature.feature, Json) or feature.feature == Value("null"):
        return feature  # what is in them, only the rows tell
    if not isinstance(feature.feature, dict):
        return None
    if _SPEAKER.isdisjoint(feature.feature):
        raise TypeError(f"has {_NO_SPEAKER}")
    turn = {key: _turn_feature(each) if key in TURN_TEXTS else each for key, each in feature.feature.items()}
    return type(feature)(turn)


def _turn_feature(feature: Any) -> Any:
    # Calls of tools have no text, and pictures have a list.
    is_text = isinstance(feature, (Value, ClassLabel)) and feature.dtype != "null"
    return _text_feature(feature) if is_text else feature


def _has_json(feature: Any) -> bool:
    if isinstance(feature, (List, LargeList)):
        return _has_json(feature.feature)
    return any(map(_has_json, feature.values())) if isinstance(feature, dict) else isinstance(feature, Json)


def _need(feature: Any) -> str:
    if isinstance(feature, ClassLabel):
        return "is of type ClassLabel; strings are needed. Make them of its names with `dataset.map` and `int2str`."
    if isinstance(feature, Json):
        return "is of type Json (values of several types); strings are needed. Make all of them texts."
    known = {List: "list", LargeList: "list", dict: "object"}
    kind = known.get(type(feature)) or str(getattr(feature, "dtype", type(feature).__name__))
    return f"is of type {kind}; strings are needed. {_advice(kind)}"


def _advice(kind: str) -> str:
    spelling = next((each for begin, each in _SPELLINGS.items() if kind.lower().startswith(begin)), None)
    if kind == "null":
        return "There is nothing in any row: fill it in."
    if spelling is None:
        return "Make a text of it with `dataset.map`."
    return (
        f"How it was written is not known ({spelling}): make it a text yourself with `dataset.map`. If it was read "
        "from a CSV, TSV or JSON file, a recipe that names that file as `dataset_name` takes what stands there."
    )


@dataclass(frozen=True)
class _Spelling:
    """How the values of `names` are written; `conversations` are those that are lists of turns."""

    names: tuple[str, ...]
    source: str
    conversations: frozenset[str]

    def row(self, row: dict[str, Any], index: int) -> dict[str, Any]:
        """The columns of a row as texts."""
        return {name: self._value(row.get(name), name, f"{self.source}, row {index + 1}") for name in self.names}

    def _value(self, value: Any, name: str, where: str) -> Any:
        if value is None:
            raise ValueError(f"{where}: '{name}' is missing (null); fill it in or remove the row.")
        if name not in self.conversations:
            return _text(value, name, where)
        if isinstance(value, list) and None in value:
            raise ValueError(f"{where}: {_NULL_TURN.format(name)}")
        if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
            kind = type(value).__name__
            raise ValueError(
                f"{where}: '{name}' is of type {kind}, where other rows have another. Make all of them texts, or all "
                "of them lists of turns."
            )
        if not value:
            raise ValueError(f"{where}: {_EMPTY.format(name)}")
        if any(_SPEAKER.isdisjoint(turn) for turn in value):
            raise ValueError(f"{where}: '{name}' has {_NO_SPEAKER}")
        return [{key: self._part(key, each, name, where) for key, each in turn.items()} for turn in value]

    def _part(self, key: str, value: Any, name: str, where: str) -> Any:
        is_text = key in TURN_TEXTS and not isinstance(value, (list, dict, type(None)))
        return _text(value, f"{name}: {key}", where) if is_text else value


def _text(value: Any, name: str, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    kind = type(value).__name__
    raise ValueError(f"{where}: '{name}' is of type {kind}; strings are needed. {_advice(kind)}")
