"""What a value of a recipe must be, by the type of the field that it is for."""

import json
import types
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from .checks import short

# Words that `HfArgumentParser` takes for true and false.
_FLAGS = ("yes", "true", "t", "y", "1", "no", "false", "f", "n", "0")
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "names and values",
}
_FILE_OR_DICT = "names and values, or the path of a file that holds them"


def value_problem(value: Any, hint: Any) -> str | None:
    """The end of an error about a value that cannot be of a type, `"is [1]; it must be a number."`; else None.

    Args:
        value: as YAML reads it. A text may stand for a number or a flag: YAML 1.1 reads `1e-5` as one.
        hint: the type of the field. Of a union, the members that YAML can write count.
    """
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    by_kind = {kind: option for option in options if (kind := _kind(option)) is not None}
    if value is None or not by_kind or any(_fits(value, kind, by_kind) for kind in by_kind):
        return None
    wanted = " or ".join(_WORDS[kind] for kind in by_kind) if {str, dict} - set(by_kind) else _FILE_OR_DICT
    is_scalar = not isinstance(value, (str, list, dict))
    return f"is {short(value)}; it must be {wanted}.{' Put it in quotes.' if str in by_kind and is_scalar else ''}"


def _kind(option: Any) -> type | None:
    """The kind of value that YAML writes for a member of a type; None where it writes none."""
    origin = get_origin(option) or option
    if origin in _WORDS:
        return origin
    is_enum = isinstance(origin, type) and issubclass(origin, Enum)
    return str if is_enum else None  # by its name


def _fits(value: Any, kind: type, by_kind: dict[type, Any]) -> bool:
    if isinstance(value, str):
        return _text_fits(value, kind, by_kind)
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    if kind is list and isinstance(value, list):
        items = get_args(by_kind[list]) or (Any,)
        return all(item is not None and value_problem(item, items[0]) is None for item in value)
    return isinstance(value, kind)


def _text_fits(text: str, kind: type, by_kind: dict[type, Any]) -> bool:
    if kind is str:
        return dict not in by_kind or _is_json_object(text) or Path(text).is_file()
    if kind is bool:
        return text.lower() in _FLAGS
    # One name stands for a list of one.
    return get_args(by_kind[list]) == (str,) if kind is list else kind is not dict and _is_number(text, kind)


def _is_json_object(text: str) -> bool:
    with suppress(ValueError):
        return isinstance(json.loads(text), dict)
    return False


def _is_number(text: str, kind: type) -> bool:
    with suppress(ValueError):
        kind(text)
        return True
    return False
