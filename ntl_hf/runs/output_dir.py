"""The folder of a run: locked while it runs, its checkpoint to resume from, and what must not be overwritten there."""

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from ..trainers.checkpoints import CHECKPOINTS, checkpoint_problem, list_checkpoints, resolve_checkpoint, step_of
from ..trainers.folder_lock import BUSY, locked

# What a finished run leaves in its folder.
RUN_MARKS = ("*.safetensors", "adapter_config.json", "trainer_state.json")


def exclusive_output_dir(args: TrainingArguments) -> AbstractContextManager[Any]:
    """Keep other runs from `output_dir` while the block runs, from the look at what is there to the saved model.

    Raises:
        ValueError: another run is at work there, or there can be no such folder.
    """
    folder = Path(str(args.output_dir))
    # `claim_output_dir` refuses a file.
    is_ours = int(os.environ.get("RANK", 0)) == 0 and not folder.is_file()
    return locked(folder, BUSY) if is_ours else nullcontext()


def claim_output_dir(args: TrainingArguments) -> None:
    """Settle `args.resume_from_checkpoint`: a folder or None; leave no doubt about whose folder `output_dir` is.

    Raises:
        ValueError: there is no such checkpoint, or the output folder holds another run, or later checkpoints than the
            one that this run resumes.
    """
    folder = Path(str(args.output_dir))
    if folder.is_file():
        raise ValueError(f"`output_dir` {folder} is a file.")
    wanted, args.resume_from_checkpoint = args.resume_from_checkpoint, None
    checkpoint = args.resume_from_checkpoint = resolve_checkpoint(wanted, folder)
    if checkpoint is not None and Path(checkpoint).resolve().parent == folder.resolve():
        _check_is_last(Path(checkpoint), folder)
    else:
        _check_is_free(folder, is_auto=str(wanted).lower() == "auto")


def _check_is_last(checkpoint: Path, folder: Path) -> None:
    """The next "auto" would go on from a later one, and from what this run has left behind."""
    later = [each for each in list_checkpoints(folder) if step_of(each) > step_of(Path(checkpoint.resolve()))]
    later = [each for each in later if checkpoint_problem(each) is None]
    if later:
        raise ValueError(
            f"`output_dir` {folder} has later checkpoints than {checkpoint.name} ({later[0].name}). Move them away, "
            "or choose another `output_dir`."
        )


def _check_is_free(folder: Path, is_auto: bool) -> None:
    # "auto" begins again where a run was killed before its first checkpoint was complete.
    checkpoints = [] if is_auto else list(folder.glob(CHECKPOINTS))
    found = sorted(path.name for path in [*checkpoints, *(each for mark in RUN_MARKS for each in folder.glob(mark))])
    if found:
        hint = ", or continue that run with --resume_from_checkpoint auto" if checkpoints else ""
        raise ValueError(
            f"`output_dir` {folder} holds another run ({', '.join(found[:4])}). Choose another folder{hint}."
        )
