"""`NTLSavingMixin`: checkpoints that can be told whole from half written, and what is read back from them."""

import inspect
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from transformers.trainer_utils import has_length

from ..settings.redaction import keep_out_of_files
from .cards import HUB_ERRORS, CardNotes, RunRecord, tell_failed_pushes, what_is_left
from .checkpoints import (
    LAST_OF_MODEL,
    begin_checkpoint,
    checkpoint_folder,
    finish_checkpoint,
    holds_final_model,
    keep_best_alone,
    remove_old_checkpoints,
    resolve_checkpoint,
)
from .checks import check_same_everywhere
from .folder_lock import BUSY, locked
from .interrupt import InterruptCallback
from .model_card import is_from_folder
from .model_kind import check_has_config
from .model_systems import is_system
from .precision_checks import warn_of_slow_training
from .resume_checks import (
    check_checkpoint,
    go_on_with,
    parallelism_of,
    settings_to_record,
    warn_of_other_checkpoints,
)
from .resuming import PassOrder, stream_position, tell_finished


class NTLSavingMixin:
    """What a run writes beside the stock trainer's files, and reads back; mixed in before a `transformers` trainer.

    Attributes:
        data_name: what the card calls the data: an id of the hub ("openai/gsm8k") or any name. Data sets that were
            loaded from the hub know where they are from.
        finished_checkpoint: what `train` resumed, where that was of the last step, so that nothing was trained.
    """

    data_name: str | None = None
    finished_checkpoint: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_has_config(self.model)
        # `training_args.bin` lies in every checkpoint, and goes to the hub with it.
        keep_out_of_files(self.args)
        self._card_notes, self._pass_order = CardNotes(is_from_folder(self.model)), PassOrder()

    def _run_record(self) -> RunRecord:
        """What the trainer is training with."""
        raise NotImplementedError

    def _finished_record(self) -> RunRecord:
        """What the weights were trained with."""
        return self._run_record().as_finished(self.finished_checkpoint)

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> Any:
        """As the stock method, and resumes from whole checkpoints alone: `True` the last of them, "auto" that or none.

        Of a finished run nothing is trained, and what is saved then tells of the run that was.

        Raises:
            ValueError: see `check_training_data`; another run is training into the same folder; a checkpoint that is
                not there, half written or of another tokenizer or model; processes with different settings.
        """
        self.check_training_data()
        warn_of_slow_training(self)
        self.finished_checkpoint = None
        run_dir = self._get_output_dir(args[0] if args else kwargs.get("trial"))
        with _locked_by_one(self, run_dir):
            checkpoint = resolve_checkpoint(resume_from_checkpoint, self.args.output_dir)
            check_same_everywhere(self._run_record().settings, checkpoint)
            if checkpoint is None:
                warn_of_other_checkpoints(self, Path(run_dir))
            else:
                self.check_checkpoint(checkpoint)
                go_on_with(self, Path(checkpoint))
            return super().train(checkpoint, *args, **kwargs)

    # ---- Writing ----

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        # First, so that a push to the hub takes it along.
        if self.args.should_save:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            self._finished_record().settings.save(folder)
            model = self.accelerator.unwrap_model(self.model)
            if hasattr(model, "peft_config") and is_system(model.config):
                # An adapter knows the base model's name alone, and not what it was made into.
                model.config.save_pretrained(folder)
        super().save_model(output_dir, _internal_call)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        folder = Path(output_dir or self.args.output_dir)
        # With each adapter peft writes a card, whose tags replace those that were there.
        card = folder / "README.md"
        if card.exists() and hasattr(self.accelerator.unwrap_model(self.model), "peft_config"):
            self._card_notes.finish(self, self._finished_record(), card)
        recorded = None if self.finished_checkpoint is None else Path(self.finished_checkpoint) / LAST_OF_MODEL
        if recorded is not None and recorded.is_file() and self.args.should_save:
            shutil.copyfile(recorded, folder / LAST_OF_MODEL)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        run_dir = Path(self._get_output_dir(trial))
        folder = checkpoint_folder(run_dir, self.state.global_step)
        if self.args.should_save:
            begin_checkpoint(folder)
        self.accelerator.wait_for_everyone()
        # The stock method pushes the new checkpoint, and deletes old ones, before it has its manifest.
        with _changed(self.args, save_total_limit=None, push_to_hub=False):
            super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            torch.save(self.args, folder / LAST_OF_MODEL)  # they were saved as changed
            balance = self._run_record().balance
            if balance is not None:
                balance.save(folder)
            finish_checkpoint(folder, parallelism_of(self.accelerator), settings_to_record(self))
        if self.args.push_to_hub:
            self._push_from_checkpoint(str(folder))
        if self.args.should_save:
            best = self.state.best_model_checkpoint
            remove_old_checkpoints(run_dir, self.args.save_total_limit, self.state.global_step, best)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        self._pass_order.save(self, output_dir)

    def _finalize_training(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """As the stock method, which may load the best model and keep its checkpoint alone: not of half a run."""
        callbacks = [each for each in self.callback_handler.callbacks if isinstance(each, InterruptCallback)]
        interrupted = any(each.has_interrupted(self.state) for each in callbacks)
        loads_best = self.args.load_best_model_at_end and not interrupted
        with _changed(self.args, load_best_model_at_end=loads_best, save_total_limit=None):
            output = super()._finalize_training(trial, *args, **kwargs)
        stays = interrupted or self.finished_checkpoint is not None
        if self.args.should_save and self.args.save_total_limit == 1 and not stays:
            keep_best_alone(self._get_output_dir(trial), self.state.best_model_checkpoint)
        return output

    def save_state(self) -> None:
        """As the stock method, but of a run that was finished before, what is there stays."""
        if self.finished_checkpoint is None or not holds_final_model(self.args.output_dir, self.state.global_step):
            super().save_state()

    def save_metrics(self, split: str, metrics: dict[str, float], combined: bool = True) -> None:
        """As the stock method, but of a run that was finished before, the metrics of its training stay."""
        if self.finished_checkpoint is None or split != "train":
            super().save_metrics(split, metrics, combined)

    # ---- Resuming ----

    def check_checkpoint(self, folder: str) -> None:
        """Raise `ValueError` for one of another tokenizer, model or DeepSpeed setting; warn of other settings.

        `train` calls it; call it yourself to know before a long set-up.
        """
        check_checkpoint(self, Path(folder), self._run_record())

    def _init_training_state(
        self,
        max_steps: int,
        num_update_steps_per_epoch: int,
        num_train_epochs: int,
        resume_from_checkpoint: str | None,
        trial: Any,
    ) -> tuple[int, int]:
        """As the stock method: the pass, and the batches of it that are done. None is left of a finished run."""
        position = super()._init_training_state(
            max_steps, num_update_steps_per_epoch, num_train_epochs, resume_from_checkpoint, trial
        )
        if resume_from_checkpoint is None:
            return position
        if 0 < max_steps <= self.state.global_step:
            # The stock trainer would take one step more, or write its checkpoint again.
            self.finished_checkpoint = resume_from_checkpoint
            tell_finished(self, resume_from_checkpoint, max_steps)
            return num_train_epochs, 0
        if self.args.ignore_data_skip or has_length(self.train_dataset):
            return position
        return stream_position(Path(resume_from_checkpoint), self.args.gradient_accumulation_steps)

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        loader, checkpoint = kwargs["train_dataloader"], kwargs["resume_from_checkpoint"]
        if checkpoint is not None and kwargs["epoch"] == kwargs["epochs_trained"]:
            is_within = kwargs["steps_trained_in_current_epoch"] > 0
            self._pass_order.resume(self, checkpoint, loader, is_within)
        else:
            self._pass_order.begin(loader)
        super()._run_epoch(*args, **kwargs)

    # ---- The card and the hub ----

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """As the stock method, and with the settings of the loss, the data, the last metrics and the citation.

        The data's name is `dataset_name` (TRL), `dataset` or the ids `dataset_tags` (transformers), or `data_name`.
        """
        given = inspect.signature(super().create_model_card).bind_partial(*args, **kwargs).arguments
        record = self._finished_record()
        self.data_name = self._card_notes.note(given, record.card_tags) or self.data_name
        if given.get("model_name") is None:
            given["model_name"] = Path(self.args.hub_model_id or self.args.output_dir).absolute().name
        super().create_model_card(**{**given, "tags": list(self._card_notes.tags)})
        if self.is_world_process_zero():
            self._card_notes.finish(self, record, Path(self.args.output_dir) / "README.md")

    def push_to_hub(self, *args: Any, **kwargs: Any) -> Any:
        """As the stock method.

        Raises:
            OSError: the hub cannot be reached or refuses; the message says what is saved where, and how to push it.
        """
        try:
            return super().push_to_hub(*args, **kwargs)
        except HUB_ERRORS as error:
            raise OSError(f"Pushing to the hub failed. {what_is_left(self)} The error was: {error}") from error

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        tell_failed_pushes(self)
        if self.is_world_process_zero():
            self._finished_record().settings.save(self.args.output_dir)
            self.create_model_card(tags=list(self._card_notes.tags))
        super()._push_from_checkpoint(checkpoint_folder)

    def _finish_current_push(self) -> None:
        super()._finish_current_push()
        tell_failed_pushes(self)


@contextmanager
def _changed(arguments: Any, **values: Any) -> Iterator[None]:
    """Other values of training arguments while the block runs."""
    before = {name: getattr(arguments, name) for name in values}
    try:
        for name, value in values.items():
            setattr(arguments, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(arguments, name, value)


@contextmanager
def _locked_by_one(trainer: Any, folder: str) -> Iterator[None]:
    """Lock the folder of a run in the process that writes there, for all of its processes, while the block runs.

    Raises:
        ValueError: in all of them, if another run has it.
    """
    with ExitStack() as stack:
        problem = None
        if trainer.args.should_save:
            try:
                stack.enter_context(locked(folder, BUSY))
            except ValueError as error:
                problem = str(error)
        for told in filter(None, gather_object([problem])):
            raise ValueError(told)
        yield
