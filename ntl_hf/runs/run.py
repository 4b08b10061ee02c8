"""A run from its folder to its end: where it resumes, what it must not overwrite, training, interrupts and saving."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainingArguments
from transformers.trainer_utils import TrainOutput

from ..trainers.cards import what_is_left
from ..trainers.checkpoints import (
    CHECKPOINTS,
    checkpoint_problem,
    holds_final_model,
    holds_state,
    list_checkpoints,
    resolve_checkpoint,
    step_of,
)
from ..trainers.folder_lock import locked
from ..trainers.interrupt import InterruptCallback
from ..trainers.run_lock import BUSY

logger = logging.getLogger(__name__)

# What a finished run leaves in its folder, and one that was going on.
RUN_MARKS = ("*.safetensors", "adapter_config.json", "trainer_state.json")


@contextmanager
def alone_in(args: TrainingArguments) -> Iterator[None]:
    """Keep other runs from `output_dir` while the block runs, from the look at what is there to the saved model.

    Raises:
        ValueError: another run is at work there, or there can be no such folder.
    """
    folder = Path(str(args.output_dir))
    if int(os.environ.get("RANK", 0)) > 0 or folder.is_file():  # which `claim_output_dir` refuses
        yield
        return
    with locked(folder, BUSY):
        yield


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
    marks = RUN_MARKS if is_auto else (CHECKPOINTS, *RUN_MARKS)
    found = sorted(path.name for mark in marks for path in folder.glob(mark))
    if found:
        is_resumable = not is_auto and list(folder.glob(CHECKPOINTS))
        hint = ", or continue that run with --resume_from_checkpoint auto" if is_resumable else ""
        raise ValueError(
            f"`output_dir` {folder} holds another run ({', '.join(found[:4])}). Choose another folder{hint}."
        )


def check(trainer: Any) -> None:
    """Raise `ValueError` for data or a checkpoint that cannot be trained with, before anything is written."""
    trainer.check_training_data()
    if trainer.args.resume_from_checkpoint is not None:
        trainer.check_checkpoint(trainer.args.resume_from_checkpoint)


def set_card_info(trainer: Any, data_args: Any, model_args: Any) -> None:
    """Set what the card tells and the trainer cannot see: the name of the data, and that the weights were random."""
    trainer.data_name = data_args.dataset_name or data_args.task
    if model_args.from_scratch:
        # Nothing of the model that is named here is in the weights: it is no base model.
        trainer.model.config._name_or_path = ""


def train(trainer: Any) -> None:
    """Train, and save the model, the metrics, the state of the run and a model card.

    SIGTERM and SIGINT end it with a checkpoint, and leave no finished model behind.
    """
    accelerator = trainer.accelerator
    if accelerator.is_main_process:
        # Several modes start with exit code 0 as something else; this tells.
        several = f"{accelerator.num_processes} processes, {accelerator.distributed_type.value}"
        logger.warning("Training in %s.", several if accelerator.num_processes > 1 else "one process")
    # To the end, so that the model is not lost to a signal in the middle of its last save.
    with InterruptCallback() as interrupt:
        trainer.add_callback(interrupt)
        result = trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
        if not interrupt.has_interrupted(trainer.state):
            _save(trainer, result)
        elif accelerator.is_main_process:
            logger.warning(
                "Interrupted: checkpoint-%d is saved in %s. Continue with --resume_from_checkpoint auto.",
                interrupt.stopped_at,
                trainer.args.output_dir,
            )


def _save(trainer: Any, result: TrainOutput) -> None:
    """Save the model, and then the state, which tells of which step the model is: nothing of a run that has them."""
    finished, folder = trainer.finished_checkpoint is not None, Path(trainer.args.output_dir)
    if finished and holds_final_model(folder, result.global_step):
        if trainer.args.push_to_hub and trainer.accelerator.is_main_process:
            logger.warning("Nothing was pushed. %s", what_is_left(trainer))
        return
    card = _card_of(folder, result.global_step) if finished else None
    trainer.save_model(_internal_call=True)  # without a push
    if not finished:
        trainer.log_metrics("train", result.metrics)
        trainer.save_metrics("train", result.metrics)
    # Before a push, which may fail.
    if card is None:
        trainer.create_model_card()
    elif trainer.accelerator.is_main_process:
        (folder / "README.md").write_bytes(card)
    trainer.save_state()
    if trainer.args.push_to_hub:
        trainer.push_to_hub()


def _card_of(folder: Path, step: int) -> bytes | None:
    """The card that a run which ended at `step` has left: it knows the evaluation set, as a resumed run may not."""
    card = folder / "README.md"
    return card.read_bytes() if holds_state(folder, step) and card.is_file() else None
