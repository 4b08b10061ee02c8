"""Values of any shape in a column of `datasets`, with every digit of their numbers."""

import json
import warnings
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from datasets import Json
from datasets.features import features


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
