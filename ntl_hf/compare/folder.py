"""A cell's folder: what is where in it, and what is already done there."""

import json
import os
from pathlib import Path
from typing import Any

from ..settings.json_settings import read_settings
from ..settings.redaction import redacted

CELL, TRAINING, LOG, RECIPE = "cell.json", "training.json", "cell.log", "recipe.yaml"
CELLS, EVALUATION = "cells", "evaluation"
METRICS, PREDICTIONS, EVALUATION_SETTINGS = "metrics.json", "predictions.jsonl", "settings.json"

_ABSENT = "not set"


def read_json(path: Path) -> Any:
    """The names and values of a JSON file, or None where there is no such file.

    Raises:
        ValueError: it is not JSON, or holds something else.
    """
    try:
        return read_settings(path, "Remove it and run the command again.")
    except FileNotFoundError:
        return None


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, without secrets and in one go: neither a reader nor a killed process ever sees half of it."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(redacted(content), indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)


def check_same(before: dict[str, Any], now: dict[str, Any], where: str, folder: Path) -> None:
    """Refuse settings that differ, secrets aside, from those that a folder was made with.

    Raises:
        ValueError: naming what `where` says, the setting, and the folder to remove.
    """
    # Folders of older versions hold secrets.
    before, now = redacted(before), redacted(now)
    for key in sorted({*before, *now}):
        old, new = (json.dumps(side[key]) if key in side else _ABSENT for side in (before, now))
        if old != new:
            raise ValueError(
                f"{where} was made with other settings: `{key}` was {old} and is now {new}. Choose another "
                f"`output_dir`, or remove {folder}."
            )
