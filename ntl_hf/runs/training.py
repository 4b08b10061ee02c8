"""A run from its arguments to its end: the trainer is built, everything is checked, trained, and saved."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers.trainer_utils import TrainOutput

from ..trainers.cards import what_is_left
from ..trainers.checkpoints import holds_final_model, holds_state
from ..trainers.interrupt import InterruptCallback
from .data import load_data
from .job import Job
from .model import check_start, load_config
from .output_dir import claim_output_dir

logger = logging.getLogger(__name__)


def build_job_trainer(job: Job, check: Callable[[Job], None], build: Callable[[Job], Any]) -> Any:
    """Settle the output folder, load what the job lacks, and build the trainer; all that is refused is refused here.

    Args:
        job: the arguments of a recipe.
        check: raises `ValueError` for a model's configuration that the command cannot train; called before the data
            are loaded.
        build: loads model and tokenizer and builds the trainer; called when configuration and data are there.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    claim_output_dir(job.args)
    # What is quick to read first: a typo in a path should not cost the loading of a model.
    job.config = load_config(job)
    check(job)
    check_start(job.config, job.system_args, job.model_name)
    evaluates = job.args.eval_strategy != "no"
    job.train_dataset, job.eval_dataset = load_data(job.data_args, evaluates, job.args.max_steps)
    trainer = build(job)
    # The model card cannot see what the data are called, and that the weights were random.
    trainer.data_name = job.data_args.dataset_name or job.data_args.task
    if job.model_args.from_scratch:
        # Nothing of the model that is named here is in the weights: it is no base model.
        trainer.model.config._name_or_path = ""
    trainer.check_training_data()
    if trainer.args.resume_from_checkpoint is not None:
        trainer.check_checkpoint(trainer.args.resume_from_checkpoint)
    return trainer


def train(trainer: Any) -> bool:
    """Train, and save the model, the metrics, the state of the run and a model card.

    SIGTERM and SIGINT end it with a checkpoint, and leave no finished model behind.

    Returns:
        Whether it came to its end.
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
        is_finished = not interrupt.has_interrupted(trainer.state)
        if is_finished:
            _save(trainer, result)
        elif accelerator.is_main_process:
            logger.warning(
                "Interrupted: checkpoint-%d is saved in %s. Continue with --resume_from_checkpoint auto.",
                interrupt.stopped_at,
                trainer.args.output_dir,
            )
        return is_finished


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
