"""The features of rows that are read one by one: the type of each column, and JSON where rows differ."""

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from datasets import Features, Json, List, Value
from datasets.features import features

# A shape is None (nothing but nulls), the name of a type, a list of one shape, a mapping of shapes, or `_ANY`; of what
# has the last anywhere in it, the whole is `_ANY`.
_ANY = "any"
_TYPES = {str: "string", bool: "bool", float: "float64"}
# More, and the libraries that handle the types would give up at some depth of their own.
_DEEPEST = 100


class RowFeatures:
    """Finds the features of rows, and makes tables of them.

    Values of one type in all rows get that type; a column of nulls alone is a string. A column with objects
    that have not the same keys in all rows, or with values of several types, is stored as JSON, so that nothing is
    added to them. So is one with whole numbers beside others, of which 1 would become 1.0, or of more than 64 bits.

    Args:
        rows: all of them, each after where it stands.

    Attributes:
        features: of the columns, in the order in which they appeared.

    Raises:
        ValueError: lists and objects within each other, more than 100 deep.
    """

    def __init__(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        self._shapes: dict[str, Any] = {}
        for where, row in rows:
            for name, value in row.items():
                # Most columns are texts, all the way down.
                if type(value) is not str or self._shapes.get(name) != "string":
                    self._add(name, value, where)
        self.features = Features({name: _feature(shape) for name, shape in self._shapes.items()})
        self._mixed = [name for name, shape in self._shapes.items() if shape == _ANY]
        self._stored_schema = Features({**self.features, **dict.fromkeys(self._mixed, Value("string"))}).arrow_schema

    def _add(self, name: str, value: Any, where: str) -> None:
        try:
            self._shapes[name] = _merge(self._shapes.get(name), _shape(value))
        except RecursionError:
            raise ValueError(f"{where}: '{name}' is nested more than {_DEEPEST} deep; write it as a text.") from None

    def table(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """A table of some of the rows; nulls where a row has no such column."""
        if self._mixed:
            rows = [{**row, **{name: _stored(row.get(name)) for name in self._mixed}} for row in rows]
        return pa.Table.from_pylist(rows, schema=self._stored_schema).cast(self.features.arrow_schema)


def _shape(value: Any, depth: int = 0) -> Any:
    if value is None:
        return None
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        shapes = {name: _shape(each, depth + 1) for name, each in value.items()}
        return _whole(shapes)
    if isinstance(value, list):
        return _shape_of_items(value, depth + 1)
    if type(value) is int:
        return "int64" if -(2**63) <= value < 2**63 else _ANY
    return _TYPES[type(value)]


def _whole(shapes: Any) -> Any:
    parts = shapes.values() if isinstance(shapes, dict) else shapes
    # `datasets` makes a number of a text of digits that is stored as JSON by itself.
    return _ANY if _ANY in parts else shapes


def _shape_of_items(values: list[Any], depth: int) -> Any:
    kinds = set(map(type, values))
    if kinds == {int}:  # a row of token ids is long
        values = [min(values), max(values)]
    shape = None
    for value in values:
        shape = _merge(shape, _shape(value, depth))
    return _whole([shape])


def _merge(one: Any, other: Any) -> Any:
    if one is None or other is None or one == other:
        return other if one is None else one
    if isinstance(one, list) and isinstance(other, list):
        return _whole([_merge(one[0], other[0])])
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return _whole({name: _merge(each, other[name]) for name, each in one.items()})
    return _ANY


def _feature(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {name: _feature(each) for name, each in shape.items()}
    if isinstance(shape, list):
        return List(_feature(shape[0]))
    return ExactJson() if shape == _ANY else Value(shape or "string")


def _stored(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


@dataclass(repr=False)
class ExactJson(Json):
    """`datasets.Json` that gives back what it was given.

    The other one makes 1.5899999999999999 of 1.59, keeps 10 digits after the point when rows are written again, and
    cannot read whole numbers of more than 64 bits. Data that is saved with this type is read where `ntl_hf` is loaded.
    """

    _type: str = field(default="ExactJson", init=False, repr=False)

    def encode_example(self, value: Any) -> str | None:
        """JSON of a value; a text that is JSON is taken for it, as `datasets` does."""
        return value if value is None or _is_json(value) else json.dumps(value, ensure_ascii=False)

    def decode_example(self, value: str | None, token_per_repo_id: Any = None) -> Any:
        """The value of JSON."""
        return None if value is None else json.loads(value)

    def cast_storage(self, storage: pa.Array) -> pa.Array:
        """An Arrow array of values as one of JSON."""
        if isinstance(storage, pa.JsonArray):
            return storage
        return pa.array([self.encode_example(value) for value in storage.to_pylist()], pa.string()).cast(self.pa_type)


def _is_json(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'register_feature' is experimental")
    features.register_feature(ExactJson, "ExactJson")
