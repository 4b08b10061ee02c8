"""Settings that are read back from JSON files, and the one question what counts as a number among them."""

import json
import math
from pathlib import Path
from typing import Any

# Of float32, which the losses are computed in: beyond it, settings are infinite there.
LARGEST = 3.4028234663852886e38


def is_number(value: Any) -> bool:
    """Whether a setting is a finite number within float32; true and false, and texts, are none."""
    # Compared, because whole numbers may be too large for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def read_settings(path: Path, advice: str) -> dict[str, Any]:
    """The content of a JSON file of names and values.

    Args:
        path: the file.
        advice: what to do if it is damaged, such as "Resume from another checkpoint.".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not JSON, or holds something else than names and values.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}. {advice}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold names and values, not {_short(content)}. {advice}")
    return content


def check_size(value: Any, name: str) -> None:
    """Raise `ValueError`, naming the setting, for what is no finite number of 0 or more."""
    if not is_number(value) or value < 0:
        raise ValueError(f"`{name}` is {_short(value)}; it must be a finite number, 0 or more.")


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
