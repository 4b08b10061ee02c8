"""Settings that are read back from JSON files."""

import json
from pathlib import Path
from typing import Any

from .checks import short


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
        raise ValueError(f"{path} must hold names and values, not {short(content)}. {advice}")
    return content
