"""Checks of single settings, with errors that begin and end alike, and fields of argument classes that have them."""

import math
import reprlib
from collections.abc import Callable, Collection
from dataclasses import field
from typing import Any

from .errors import did_you_mean

# Of float32, which the losses are computed in: beyond it, settings are infinite there.
LARGEST = 3.4028234663852886e38
_LONGEST = 40
# Not `repr`, which takes for ever over a text of 100 MB, or over lists in YAML that hold one another many times.
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 200
_SHOWN.maxlevel = 3


def setting(default: Any, help: str, check: Callable[[str, Any], None] | None = None, **metadata: Any) -> Any:
    """A field of an argument class.

    Args:
        default: its value where it is not set; a list is copied.
        help: for `--help`.
        check: takes the field's name and value and raises `ValueError`; for `check_fields`.
        metadata: for `argparse`, such as `choices`.
    """
    metadata = {"help": help, **({"check": check} if check else {}), **metadata}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


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


def short(value: Any) -> str:
    """A value as an error shows it."""
    text = _SHOWN.repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
