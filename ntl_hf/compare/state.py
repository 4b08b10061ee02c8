"""What is done already: which cells are finished, and that none was made with other settings."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..settings.config import FILE_NAME, NTLConfig
from ..trainers.checkpoints import CHECKPOINTS
from ..trainers.folder_lock import locked
from .cells import Cell
from .folder import CELL, EVALUATION_SETTINGS, TRAINING, check_same, read_json


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
        check_same(training["settings"], cell.settings, f"The cell '{cell.name}'", cell.folder)
        if training["finished"]:
            check_loss(cell)
        for name, settings in cell.evaluations.items():
            folder = cell.evaluation_folder(name)
            before = read_json(folder / EVALUATION_SETTINGS)
            if before is not None:
                check_same(before, settings, f"The evaluation '{name}' of the cell '{cell.name}'", folder)


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


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep another `ntl-hf compare` from training the same cells meanwhile.

    Raises:
        ValueError: one is at work in the folder, or it cannot be made.
    """
    with locked(folder, "another `ntl-hf compare` is at work there; wait for it, or choose another `output_dir`."):
        yield
