"""A run from its folder to its end: where it resumes, what it must not overwrite, training, interrupts and saving."""

import logging
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from ..checkpoints import resolve_checkpoint
from ..interrupt import InterruptCallback

logger = logging.getLogger(__name__)

# What a finished run leaves in its folder, and one that was going on.
RUN_MARKS = ("*.safetensors", "adapter_config.json", "trainer_state.json")
CHECKPOINTS = "checkpoint-*"


def claim_output_dir(args: TrainingArguments) -> None:
    """Settle `args.resume_from_checkpoint`: a folder or None; leave no doubt about whose folder `output_dir` is.

    Raises:
        ValueError: there is no such checkpoint, or the output folder holds another run and this one does not resume
            it.
    """
    folder = Path(str(args.output_dir))
    if folder.is_file():
        raise ValueError(f"`output_dir` {folder} is a file.")
    wanted, args.resume_from_checkpoint = args.resume_from_checkpoint, None
    args.resume_from_checkpoint = resolve_checkpoint(wanted, folder)
    if args.resume_from_checkpoint is not None:
        return
    # "auto" begins again where a run was killed before its first checkpoint was whole.
    marks = RUN_MARKS if str(wanted).lower() == "auto" else (CHECKPOINTS, *RUN_MARKS)
    found = sorted(path.name for mark in marks for path in folder.glob(mark))
    if found:
        hint = ", or continue that run with --resume_from_checkpoint auto" if list(folder.glob(CHECKPOINTS)) else ""
        raise ValueError(
            f"`output_dir` {folder} holds another run ({', '.join(found[:4])}). Choose another folder{hint}."
        )


def check(trainer: Any) -> None:
    """Raise `ValueError` for data or a checkpoint that cannot be trained with, before anything is written."""
    trainer.check_training_data()
    if trainer.args.resume_from_checkpoint is not None:
        trainer.check_checkpoint(trainer.args.resume_from_checkpoint)


def train(trainer: Any) -> None:
    """Train, and save the model, the metrics, the state of the run and a model card.

    SIGTERM and SIGINT end it with a checkpoint, and leave no finished model behind.
    """
    accelerator = trainer.accelerator
    if accelerator.is_main_process:
        # Several modes start with exit code 0 as something else; this tells.
        several = f"{accelerator.num_processes} processes, {accelerator.distributed_type.value}"
        logger.warning("Training in %s.", several if accelerator.num_processes > 1 else "one process")
    with InterruptCallback() as interrupt:
        trainer.add_callback(interrupt)
        result = trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    if interrupt.stopped_at is not None and interrupt.stopped_at < trainer.state.max_steps:
        if accelerator.is_main_process:
            logger.warning(
                "Interrupted: checkpoint-%d is saved in %s. Continue with --resume_from_checkpoint auto.",
                interrupt.stopped_at,
                trainer.args.output_dir,
            )
        return
    trainer.save_model()
    trainer.save_state()
    if Path(trainer.args.resume_from_checkpoint or "").name != f"checkpoint-{result.global_step}":
        # Of a run that was finished already, there is nothing new to tell.
        trainer.log_metrics("train", result.metrics)
        trainer.save_metrics("train", result.metrics)
    if trainer.args.push_to_hub:
        trainer.push_to_hub()
    else:
        trainer.create_model_card()
