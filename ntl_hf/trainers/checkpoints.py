"""Checkpoint folders: a manifest, written last, lists the files of each with their sizes, and tells whole ones."""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from ..settings.checks import is_number
from ..settings.config import FILE_NAME as SETTINGS
from ..settings.json_settings import read_settings

logger = logging.getLogger(__name__)

MANIFEST = "checkpoint_manifest.json"
_PREFIX, _REMOVED = "checkpoint-", "removed-"
CHECKPOINTS = f"{_PREFIX}*"
# What the stock trainer writes last, of a checkpoint and of a model.
STATE, LAST_OF_MODEL = "trainer_state.json", "training_args.bin"


def remove_checkpoint(folder: Path) -> None:
    """Delete a checkpoint: at once under its name, and then its files, so that half of one is never found."""
    rest = folder.with_name(f"{_REMOVED}{folder.name}")
    _delete(rest)  # where an earlier run was killed here
    os.replace(folder, rest)
    _delete(rest)


def begin_checkpoint(folder: Path) -> None:
    """Clear what an earlier or interrupted run left where a checkpoint is about to be written."""
    if folder.is_symlink() or folder.exists():
        remove_checkpoint(folder)


def remove_old_checkpoints(output_dir: str | Path, limit: int | None, step: int, best: str | None) -> None:
    """Delete all but the last checkpoints of a run, and but the best one.

    Args:
        output_dir: of the run.
        limit: how many are to stay, half-written ones not counted; None or 0 for all.
        step: which the run is at; checkpoints of later steps are of an earlier run, and go first.
        best: folder of the best one, or None.
    """
    if not limit or limit < 0:
        return
    # By step: a clock that was set back makes the newest files the oldest.
    folders = sorted(list_checkpoints(output_dir), key=lambda folder: (step_of(folder) <= step, step_of(folder)))
    if best is not None and Path(best) in folders[:-1]:
        folders.remove(Path(best))
        folders.insert(-1, Path(best))
    # Half-written ones are no substitute for those that the limit is to keep, nor is the best for the last.
    whole = [folder for folder in folders if checkpoint_problem(folder) is None]
    kept = whole[-max(limit, len({folders[-1], Path(best) if best and Path(best) in whole else folders[-1]})) :]
    for folder in folders[: folders.index(kept[0])]:
        remove_checkpoint(folder)


def keep_best_alone(output_dir: str | Path, best: str | None) -> None:
    """Delete all checkpoints of a run but the best one, if there is one."""
    for folder in [] if best is None else list_checkpoints(output_dir):
        if not folder.samefile(str(best)):
            remove_checkpoint(folder)


def finish_checkpoint(
    folder: Path, saved_by: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
) -> None:
    """Write the manifest of a checkpoint, after all processes have written their files.

    Args:
        folder: of the checkpoint.
        saved_by: how the processes shared the work, for `told_by` to return.
        settings: numbers, texts and None that the run was trained with, for `told_by` to return.
    """
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    draft = folder / f"{MANIFEST}.tmp"
    manifest = {"saved_by": saved_by or {}, "settings": settings or {}, "files": sizes}
    draft.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(draft, folder / MANIFEST)


def told_by(folder: str | Path, name: str) -> dict[str, Any]:
    """What `finish_checkpoint` was told as `saved_by` or as `settings`; empty for a stock trainer's checkpoint.

    Raises:
        ValueError: the manifest is damaged.
    """
    return _read_manifest(Path(folder))[name] if (Path(folder) / MANIFEST).is_file() else {}


def checkpoint_problem(folder: str | Path) -> str | None:
    """Why a checkpoint cannot be resumed from, or None.

    One without a manifest and without `ntl_config.json` is a stock trainer's; it counts as whole once it has its
    `trainer_state.json`, which is written last.
    """
    folder = Path(folder)
    if (folder / MANIFEST).is_file():
        return _manifest_problem(folder)
    if (folder / SETTINGS).is_file():
        return f"it has no {MANIFEST}, so writing it was interrupted"
    return None if (folder / STATE).is_file() else f"it has no {STATE}"


def list_checkpoints(output_dir: str | Path) -> list[Path]:
    """The checkpoint folders of a run, whole or not, from the last step to the first."""
    folders = [path for path in Path(output_dir).glob(CHECKPOINTS) if path.is_dir() and step_of(path) >= 0]
    return sorted(folders, key=step_of, reverse=True)


def checkpoint_folder(output_dir: str | Path, step: int) -> Path:
    """Where the checkpoint of a global step is, or would be."""
    return Path(output_dir) / f"{_PREFIX}{step}"


def step_of(folder: Path) -> int:
    """The global step of a checkpoint, by its name; -1 for another folder."""
    number = folder.name[len(_PREFIX) :]
    return int(number) if folder.name.startswith(_PREFIX) and number.isdecimal() else -1


def holds_final_model(folder: str | Path, step: int) -> bool:
    """Whether a run that ended at `step` has saved its model and, after it, its state in a folder."""
    folder = Path(folder)
    weights = [path for kind in ("*.safetensors", "*.bin") for path in folder.glob(kind) if path.name != LAST_OF_MODEL]
    if not weights or not (folder / LAST_OF_MODEL).is_file() or not (folder / SETTINGS).is_file():
        return False
    return holds_state(folder, step)


def holds_state(folder: str | Path, step: int) -> bool:
    """Whether a run that ended at `step` has saved its state in a folder, which it writes after all else."""
    try:
        return bool(json.loads((Path(folder) / STATE).read_text(encoding="utf-8"))["global_step"] == step)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def last_complete_checkpoint(output_dir: str | Path) -> str | None:
    """The whole checkpoint of the last step, or None; says which later ones it passes over, and why."""
    for folder in list_checkpoints(output_dir):
        problem = checkpoint_problem(folder)
        if problem is None:
            return str(folder)
        if os.environ.get("RANK", "0") == "0":
            logger.warning("Passing over %s: %s.", folder, problem)
    return None


def resolve_checkpoint(wanted: str | bool | None, output_dir: str | Path) -> str | None:
    """The folder that `resume_from_checkpoint` means, or None to start from the beginning.

    Args:
        wanted: a folder; True or "true": the last whole checkpoint of `output_dir`; "auto": that, if there is one;
            None, False or "false": none.
        output_dir: of the run.

    Raises:
        ValueError: there is no such checkpoint, or the named one is half written.
    """
    choice = str(wanted or "false").lower()
    if choice == "false":
        return None
    if choice not in ("true", "auto"):
        folder = str(Path(str(wanted)))
        problem = checkpoint_problem(folder) if os.path.isdir(folder) else "no such folder"
        if problem is not None:
            raise ValueError(
                f"--resume_from_checkpoint {folder}: not a complete checkpoint ({problem}). 'auto' takes the last one "
                "of `output_dir` that is."
            )
        return folder
    last = last_complete_checkpoint(output_dir)
    if last is None and choice == "true":
        raise ValueError(
            f"--resume_from_checkpoint true: no complete checkpoint in {output_dir}. 'auto' starts from the beginning "
            "where there is none."
        )
    return last


def _manifest_problem(folder: Path) -> str | None:
    try:
        sizes = _read_manifest(folder)["files"]
    except ValueError:
        return f"its {MANIFEST} cannot be read"
    if STATE not in sizes:
        return f"its {MANIFEST} does not list {STATE}, which every checkpoint has"
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size:,} bytes, not {size:,}"
    return None


def _read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """How the checkpoint was saved, with what settings, and its files with their sizes; `ValueError` if damaged."""
    advice = "Take another checkpoint."
    content = {"saved_by": {}, "settings": {}, **read_settings(folder / MANIFEST, advice)}
    told, settings, sizes = content["saved_by"], content["settings"], content.get("files")
    if not isinstance(told, dict) or not isinstance(sizes, dict) or {type(size) for size in sizes.values()} - {int}:
        raise ValueError(f"{folder / MANIFEST} must hold `saved_by` and `files`, names with sizes. {advice}")
    if not isinstance(settings, dict) or not all(
        value is None or isinstance(value, str) or is_number(value) for value in settings.values()
    ):
        raise ValueError(f"{folder / MANIFEST} must hold numbers, texts and null as `settings`. {advice}")
    return content


def _delete(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
