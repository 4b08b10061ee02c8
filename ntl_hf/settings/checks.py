"""Checks of single settings, with errors that begin and end alike, and fields of argument classes that have them."""

import inspect
import math
import re
import reprlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, field, fields
from types import MappingProxyType
from typing import Any, TypeVar

from .errors import did_you_mean

# Of float32, which the losses are computed in: beyond it, settings are infinite there.
LARGEST = 3.4028234663852886e38
_LONGEST = 40
# Not `repr`, which takes for ever over a text of 100 MB, or over lists in YAML that hold one another many times.
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 200
_SHOWN.maxlevel = 3
_Class = TypeVar("_Class")


def setting(default: Any, check: Callable[[str, Any], None] | None = None, **metadata: Any) -> Any:
    """A field of an argument class.

    Args:
        default: its value where it is not set; a list is copied.
        check: takes the field's name and value and raises `ValueError`; for `check_fields`. Not for classes that a
            parser reads: `argparse` would refuse it.
        metadata: for `argparse`, such as `choices`; `help` comes from the class's docstring, see `documented`.
    """
    metadata = {**({"check": check} if check else {}), **metadata}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def documented(cls: type[_Class]) -> type[_Class]:
    """Give the fields of an argument class their texts for `--help`: what its docstring says under "Attributes:"."""
    _, _, entries = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
    # An entry goes on in lines that are indented deeper.
    texts = dict(re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", entries, re.MULTILINE))
    for each in fields(cls):  # type: ignore[arg-type]
        if each.name in texts:
            each.metadata = MappingProxyType({**each.metadata, "help": " ".join(texts[each.name].split())})
    return cls


def is_number(value: Any) -> bool:
    """Whether a setting is a finite number within float32; true and false, and texts, are none."""
    # Compared, because whole numbers may be too large for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def check_choice(name: str, value: Any, allowed: Collection[str]) -> None:
    """Raise `ValueError`, naming the setting, for what is none of `allowed`."""
    if value not in allowed:
        hint = did_you_mean(value, allowed, cutoff=0.4) if isinstance(value, str) else ""
        raise ValueError(f"`{name}` is {short(value)}; it must be one of: {', '.join(allowed)}.{hint}")


def check_flag(name: str, value: Any) -> None:
    """Raise `ValueError`, naming the setting, for what is neither true nor false."""
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` is {short(value)}; it must be true or false.")


def check_number(
    name: str, value: Any, minimum: float = 0, above: float | None = None, below: float = math.inf
) -> None:
    """Raise `ValueError`, naming the setting, for what is no finite number from `minimum`, or above `above`, on."""
    if is_number(value) and (value >= minimum if above is None else value > above) and value < below:
        return
    bound = f"{minimum} or more" if above is None else f"above {above}"
    bound += f" and below {below}" if math.isfinite(below) else ""
    raise ValueError(f"`{name}` is {short(value)}; it must be a finite number, {bound}.")


def check_fields(arguments: Any, prefix: str = "") -> None:
    """Raise `ValueError` for the first setting that is none of its choices or fails its check.

    None is for the settings whose default it is.

    Args:
        arguments: an instance of an argument class.
        prefix: goes before the setting's name.
    """
    for each in fields(arguments):
        name, value, metadata = prefix + each.name, getattr(arguments, each.name), each.metadata
        if value is None and each.default is None:
            continue
        if "choices" in metadata:
            check_choice(name, value, metadata["choices"])
        if "check" in metadata:
            metadata["check"](name, value)


def check_belonging(arguments: Any, chosen: str, options: Mapping[str, Collection[str]]) -> None:
    """Raise `ValueError` for an option that is set and belongs to something else than what is chosen.

    It is refused, not passed over: whoever sets an option expects it to act.

    Args:
        arguments: an instance of an argument class.
        chosen: a key of `options`, as a recipe has it: "task: gsm8k".
        options: the names of the fields that belong to each.
    """
    for each in fields(arguments):
        owners = [owner for owner, names in options.items() if each.name in names]
        if owners and chosen not in owners and getattr(arguments, each.name) != default_of(each):
            raise ValueError(f"`{each.name}` is an option of `{'` and `'.join(owners)}`; remove it.")


def default_of(each: Any) -> Any:
    """The default of a dataclass's field."""
    return each.default_factory() if each.default is MISSING else each.default


def short(value: Any) -> str:
    """A value as an error shows it."""
    text = _SHOWN.repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
