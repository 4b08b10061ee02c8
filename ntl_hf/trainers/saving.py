"""`NTLSavingMixin`: checkpoints that can be told whole from half written, and the settings beside them."""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from ..settings.config import FILE_NAME, NTLConfig
from .cards import NTLCardMixin
from .checkpoints import (
    begin_checkpoint,
    checkpoint_problem,
    finish_checkpoint,
    list_checkpoints,
    remove_checkpoint,
    resolve_checkpoint,
    step_of,
)
from .checks import check_same_everywhere
from .interrupt import InterruptCallback
from .model_systems import is_system
from .resume_checks import (
    check_files,
    check_same_deepspeed,
    check_same_model,
    check_same_tokens,
    warn_of_other_checkpoints,
    warn_without_optimizer,
)
from .resumed_settings import go_on_with, settings_to_record
from .resuming import NTLResumingMixin
from .run_lock import locked_by_one

_ARGS = "training_args.bin"


class NTLSavingMixin(NTLCardMixin, NTLResumingMixin):
    """What `NTLMixin` writes beside the stock trainer's files, and reads back; needs its `ntl_config`."""

    _is_unfinished = False

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> Any:
        """As the stock method, and resumes from whole checkpoints alone: `True` the last of them, "auto" that or none.

        Of a finished run nothing is trained, and what is saved then tells of the run that was.

        Raises:
            ValueError: another run is training into the same folder; a checkpoint that is not there, half written or
                of another tokenizer or model; processes with different settings.
        """
        self.finished_checkpoint = None
        trial = args[0] if args else kwargs.get("trial")
        with locked_by_one(self, self._get_output_dir(trial)):
            checkpoint = resolve_checkpoint(resume_from_checkpoint, self.args.output_dir)
            check_same_everywhere(self.ntl_config, checkpoint)
            if checkpoint is None:
                warn_of_other_checkpoints(self, Path(self._get_output_dir(trial)))
            else:
                self.check_checkpoint(checkpoint)
                go_on_with(self, Path(checkpoint))
            return super().train(checkpoint, *args, **kwargs)

    # ---- Writing ----

    @property
    def _recorded_config(self) -> NTLConfig:
        """What the weights were trained with."""
        folder = self.finished_checkpoint
        return (
            self.ntl_config if folder is None or not (Path(folder) / FILE_NAME).is_file() else NTLConfig.load(folder)
        )

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        # First, so that a push to the hub takes it along.
        if self.args.should_save:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            self._recorded_config.save(folder)
            self._save_system(folder)
        super().save_model(output_dir, _internal_call)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        if self.finished_checkpoint is not None and self.args.should_save:
            recorded = Path(self.finished_checkpoint) / _ARGS
            if recorded.is_file():
                shutil.copyfile(recorded, Path(output_dir or self.args.output_dir) / _ARGS)

    def _save_system(self, folder: Path) -> None:
        """Beside an adapter, what its base model was made into: the adapter knows the base model's name alone."""
        model = self.accelerator.unwrap_model(self.model)
        if hasattr(model, "peft_config") and is_system(model.config):
            model.config.save_pretrained(folder)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        run_dir = Path(self._get_output_dir(trial))
        folder = run_dir / f"checkpoint-{self.state.global_step}"
        if self.args.should_save:
            begin_checkpoint(folder)
        self.accelerator.wait_for_everyone()
        with self._unfinished():
            super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            # They were saved while rotation was off.
            torch.save(self.args, folder / _ARGS)
            if self._balance is not None:
                self._balance.save(folder)
            finish_checkpoint(folder, self._parallelism(), settings_to_record(self))
        if self.args.push_to_hub:
            self._push_from_checkpoint(str(folder))
        if self.args.should_save:
            self._rotate(run_dir)

    @contextmanager
    def _unfinished(self) -> Iterator[None]:
        """The stock method pushes the new checkpoint, and deletes old ones, before it has its manifest."""
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        self._is_unfinished = True
        try:
            yield
        finally:
            self.args.save_total_limit = limit
            self._is_unfinished = False

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        if not self._is_unfinished:
            super()._push_from_checkpoint(checkpoint_folder)

    def _rotate(self, run_dir: Path) -> None:
        limit, best = self.args.save_total_limit, self.state.best_model_checkpoint
        if not limit or limit < 0:
            return
        # By step: a clock that was set back makes the newest files the oldest. Later ones are of an earlier run.
        now = self.state.global_step
        folders = sorted(list_checkpoints(run_dir), key=lambda folder: (step_of(folder) <= now, step_of(folder)))
        if best is not None and Path(best) in folders[:-1]:
            folders.remove(Path(best))
            folders.insert(-1, Path(best))
        # Half-written ones are no substitute for those that the limit is to keep, nor is the best for the last.
        whole = [folder for folder in folders if checkpoint_problem(folder) is None]
        kept = whole[-max(limit, len({folders[-1], Path(best) if best and Path(best) in whole else folders[-1]})) :]
        for folder in folders[: folders.index(kept[0])]:
            remove_checkpoint(folder)

    def _finalize_training(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """As the stock method, which may load the best model and keep its checkpoint alone: not of half a run."""
        loads_best, interrupted = self.args.load_best_model_at_end, self._is_interrupted()
        self.args.load_best_model_at_end = loads_best and not interrupted
        try:
            with self._unfinished():
                output = super()._finalize_training(trial, *args, **kwargs)
        finally:
            self.args.load_best_model_at_end = loads_best
        best = self.state.best_model_checkpoint
        stays = interrupted or self.finished_checkpoint is not None
        if self.args.should_save and self.args.save_total_limit == 1 and best is not None and not stays:
            for folder in list_checkpoints(self._get_output_dir(trial)):
                if not folder.samefile(best):
                    remove_checkpoint(folder)
        return output

    def _is_interrupted(self) -> bool:
        callbacks = [each for each in self.callback_handler.callbacks if isinstance(each, InterruptCallback)]
        return any(each.has_interrupted(self.state) for each in callbacks)

    def _parallelism(self) -> dict[str, Any]:
        """How the processes share the work, for whoever resumes."""
        plugin = getattr(self.accelerator.state, "deepspeed_plugin", None)
        return {
            "distributed_type": self.accelerator.distributed_type.value,
            "num_processes": self.accelerator.num_processes,
            "zero_stage": None if plugin is None else plugin.zero_stage,
        }

    # ---- Resuming ----

    def check_checkpoint(self, folder: str) -> None:
        """Raise `ValueError` for one of another tokenizer, model or DeepSpeed setting; warn of other settings.

        `train` calls it; call it yourself to know before a long set-up.
        """
        check_files(Path(folder))
        tokenizer = self.processing_class
        if hasattr(tokenizer, "get_vocab") and (Path(folder) / "tokenizer_config.json").is_file():
            check_same_tokens(AutoTokenizer.from_pretrained(folder).get_vocab(), tokenizer.get_vocab(), folder)
        check_same_model(Path(folder), self.model)
        check_same_deepspeed(Path(folder), self._parallelism())
        if self._balance is not None:
            self._balance.check(folder)
        warn_without_optimizer(Path(folder))
        self._warn_about_other_settings(folder)

    def _warn_about_other_settings(self, folder: str) -> None:
        if not (Path(folder) / FILE_NAME).exists():
            warnings.warn(f"{folder} has no {FILE_NAME}: it was not trained with the number loss before.")
            return
        # How the loss is computed is no setting of the loss.
        saved = replace(NTLConfig.load(folder), head=self.ntl_config.head)
        differences = saved.differences(self.ntl_config)
        if differences:
            warnings.warn(
                f"Resuming {folder} with other settings of the number loss than it was trained with: "
                f"{'; '.join(differences)}."
            )
