"""`NTLSavingMixin`: checkpoints that can be told whole from half written, the settings beside them, the model card."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer
from transformers.trainer_utils import rotate_checkpoints

from ..checkpoints import begin_checkpoint, checkpoint_problem, finish_checkpoint, list_checkpoints
from ..config import FILE_NAME, NTLConfig
from ..model_card import TAGS, add_section
from .checks import check_same_tokens


class NTLSavingMixin:
    """What `NTLMixin` writes beside the stock trainer's files, and reads back; needs its `ntl_config`."""

    # ---- Writing ----

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        # First, so that a push to the hub takes it along.
        if self.args.should_save:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            self.ntl_config.save(folder)
        super().save_model(output_dir, _internal_call)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        run_dir = Path(self._get_output_dir(trial))
        folder = run_dir / f"checkpoint-{self.state.global_step}"
        if self.args.should_save:
            begin_checkpoint(folder)
        self.accelerator.wait_for_everyone()
        with self._no_rotation():
            super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            # They were saved while rotation was off.
            torch.save(self.args, folder / "training_args.bin")
            finish_checkpoint(folder)
            self._rotate(run_dir)

    @contextmanager
    def _no_rotation(self) -> Iterator[None]:
        """The stock method deletes old ones before the new one has its manifest: killed there, none would be whole."""
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            yield
        finally:
            self.args.save_total_limit = limit

    def _rotate(self, run_dir: Path) -> None:
        limit = self.args.save_total_limit
        if not limit or limit < 0:
            return
        # Half-written ones are no substitute for those that the limit is to keep.
        limit += sum(checkpoint_problem(folder) is not None for folder in list_checkpoints(run_dir))
        rotate_checkpoints(str(run_dir), limit, self.state.best_model_checkpoint, use_mtime=True)

    def create_model_card(self, *args: Any, tags: str | list[str] | None = None, **kwargs: Any) -> None:
        tags = [tags] if isinstance(tags, str) else list(tags or ())
        # A run with weight 0 is a baseline.
        tags += [tag for tag in TAGS if self.ntl_config.weight > 0 and tag not in tags]
        super().create_model_card(*args, tags=tags, **kwargs)
        if self.is_world_process_zero():
            add_section(Path(self.args.output_dir) / "README.md", self.ntl_config)

    # ---- Resuming ----

    def check_checkpoint(self, folder: str) -> None:
        """Raise `ValueError` if a checkpoint has another tokenizer; warn if it has other settings of the number loss.

        `train` calls it; call it yourself to know before a long set-up.
        """
        tokenizer = self.processing_class
        if hasattr(tokenizer, "get_vocab") and (Path(folder) / "tokenizer_config.json").is_file():
            check_same_tokens(AutoTokenizer.from_pretrained(folder).get_vocab(), tokenizer.get_vocab(), folder)
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
