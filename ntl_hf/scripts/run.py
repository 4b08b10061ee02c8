"""A run from its folder to its end: where it resumes, what it must not overwrite, training and saving."""

from pathlib import Path
from typing import Any

from transformers import TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

# What a finished or interrupted run leaves in its folder.
RUN_MARKS = ("checkpoint-*", "*.safetensors", "adapter_config.json", "trainer_state.json")


def train(trainer: Any) -> None:
    """Train, and save the model, the metrics and the state of the run."""
    result = trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    trainer.save_model()
    trainer.save_state()
    trainer.log_metrics("train", result.metrics)
    trainer.save_metrics("train", result.metrics)
    if trainer.args.push_to_hub:
        trainer.push_to_hub()


def resolve_checkpoint(args: TrainingArguments) -> str | None:
    """The folder to resume from: `true` is the last checkpoint in `output_dir`, `false` none.

    Raises:
        ValueError: there is no such checkpoint.
    """
    wanted = str(args.resume_from_checkpoint or "false")
    if wanted.lower() == "false":
        return None
    if wanted.lower() != "true":
        folder: str | None = wanted if Path(wanted).is_dir() else None
    else:
        folder = get_last_checkpoint(args.output_dir) if Path(args.output_dir).is_dir() else None
    if folder is None:
        raise ValueError(f"--resume_from_checkpoint {wanted}: no such checkpoint (output_dir is {args.output_dir}).")
    return folder


def check_output_dir(args: TrainingArguments) -> None:
    """Raise `ValueError` if the output folder holds another run and this one does not resume it."""
    folder = Path(args.output_dir)
    if folder.is_file():
        raise ValueError(f"`output_dir` {folder} is a file.")
    found = sorted(path.name for mark in RUN_MARKS for path in folder.glob(mark))
    if found and not args.resume_from_checkpoint:
        raise ValueError(
            f"`output_dir` {folder} holds another run ({', '.join(found[:4])}). Choose another folder, or continue "
            "that run with --resume_from_checkpoint true."
        )
