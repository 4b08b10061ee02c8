"""A cell's folder: what is where in it, what is done already, and that none of it was made with other settings."""

import json
import os
import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..settings.config import FILE_NAME, NTLConfig
from ..settings.json_settings import read_settings
from ..settings.redaction import redacted
from ..trainers.checkpoints import CHECKPOINTS
from ..trainers.folder_lock import locked
from .cells import Cell

CELL, TRAINING, LOG, RECIPE, COMMAND = "cell.json", "training.json", "cell.log", "recipe.yaml", "command.txt"
METRICS_FILE, PREDICTIONS_FILE, EVALUATION_SETTINGS = "metrics.json", "predictions.jsonl", "settings.json"

_ABSENT = "not set"
_PACKAGES = ("ntl-hf", "torch", "transformers", "trl", "peft", "datasets")


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


def versions() -> dict[str, str]:
    """What results depend on beside the settings: package to version, and that of Python."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def is_trained(cell: Cell) -> bool:
    """Whether the training of a cell has come to its end."""
    return bool((_read_training(cell) or {}).get("finished"))


def missing_evaluations(cell: Cell) -> list[str]:
    """The evaluations that are still to be made."""
    return [name for name in cell.evaluations if read_json(cell.evaluation_folder(name) / EVALUATION_SETTINGS) is None]


def is_finished(cell: Cell) -> bool:
    """Whether there is nothing left to do for a cell."""
    return read_json(cell.folder / CELL) is not None and is_trained(cell) and not missing_evaluations(cell)


def check(cells: Sequence[Cell]) -> None:
    """Refuse to go on in folders that were made with other settings, or that hold a run of something else.

    Raises:
        ValueError: naming the cell, the setting that differs and what to do.
    """
    for cell in cells:
        training = _read_training(cell)
        if training is None:
            _check_is_ours(cell)
            continue
        _check_same(training["settings"], cell.settings, f"The cell '{cell.name}'", cell.folder)
        if training["finished"]:
            check_loss(cell)
        for name, settings in cell.evaluations.items():
            folder = cell.evaluation_folder(name)
            before = read_json(folder / EVALUATION_SETTINGS)
            if before is not None:
                _check_same(before, settings, f"The evaluation '{name}' of the cell '{cell.name}'", folder)


def check_loss(cell: Cell) -> None:
    """Compare the loss that a cell's trainer has saved with the one that its variant asks for.

    Raises:
        ValueError: they differ, or none was saved.
    """
    saved = read_json(cell.folder / FILE_NAME)
    if saved is None:
        raise ValueError(
            f"The cell '{cell.name}' has no {FILE_NAME}, which says what it was trained with; remove {cell.folder}."
        )
    # Where the loss is computed is no part of it.
    for key in (key for key in {**saved, **cell.ntl} if key != "head"):
        # A file of an older version lacks what had no other value then.
        was, asked = saved.get(key, getattr(NTLConfig, key, None)), cell.ntl.get(key)
        if was != asked:
            raise ValueError(
                f"The cell '{cell.name}' was trained with `ntl_{key}` {was!r}, but its variant asks for {asked!r}; "
                f"remove {cell.folder}."
            )


def claimed(folder: Path) -> AbstractContextManager[None]:
    """Keep another `ntl-hf compare` from training the same cells meanwhile.

    Raises:
        ValueError: on entering: one is at work in the folder, or it cannot be made.
    """
    return locked(folder, "another `ntl-hf compare` is at work there; wait for it, or choose another `output_dir`.")


def _read_training(cell: Cell) -> dict[str, Any] | None:
    path = cell.folder / TRAINING
    content = read_json(path)
    if content is not None and not (isinstance(content.get("settings"), dict) and "finished" in content):
        raise ValueError(
            f"{path} must hold `settings` and `finished`; remove {cell.folder} and run the command again."
        )
    return content


def _check_is_ours(cell: Cell) -> None:
    if cell.folder.is_file() or any(cell.folder.glob("*.safetensors")) or any(cell.folder.glob(CHECKPOINTS)):
        raise ValueError(
            f"{cell.folder} holds something else than a cell of this comparison. Choose another `output_dir`."
        )


def _check_same(before: dict[str, Any], now: dict[str, Any], where: str, folder: Path) -> None:
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
