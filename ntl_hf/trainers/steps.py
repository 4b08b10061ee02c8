"""`StepMixin`: how the trainers of this package take steps, whatever their loss."""

import logging
import math
from typing import Any

from datasets import Dataset

from .interrupt import ignore_signals_in_workers

logger = logging.getLogger(__name__)


class StepMixin:
    """Losses that are shares of the whole optimizer step; mixed into a `transformers` trainer, before that class."""

    # The loss is divided by counts over the whole optimizer step, so that the Trainer must not divide it again.
    loss_is_scaled_for_ga = True

    _attempts = 0
    _warned_of_nan = False

    def get_train_dataloader(self) -> Any:
        return ignore_signals_in_workers(super().get_train_dataloader())

    def get_eval_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        return ignore_signals_in_workers(super().get_eval_dataloader(*args, **kwargs))

    # ---- Attempts: `auto_find_batch_size` begins again with a smaller batch where the memory was not enough ----

    def train(self, *args: Any, **kwargs: Any) -> Any:
        self._attempts = 0
        return super().train(*args, **kwargs)

    def _inner_training_loop(self, *args: Any, **kwargs: Any) -> Any:
        taken = self._attempts > 0 and self.state.global_step > self._initial_global_step
        if taken and self.accelerator.is_main_process:
            logger.warning(
                "The memory was not enough after step %d: training begins again with a smaller batch, from the "
                "weights and the state of the optimizer that it had then. For a run from the beginning, set "
                "`per_device_train_batch_size` to what fits, and `auto_find_batch_size` to false.",
                self.state.global_step,
            )
        self._begin_attempt(kwargs.get("resume_from_checkpoint"), is_first=self._attempts == 0)
        self._attempts += 1
        return super()._inner_training_loop(*args, **kwargs)

    def _begin_attempt(self, checkpoint: str | None, is_first: bool) -> None:
        """Forget what was added up for the log and for later steps, by an attempt that failed or by a run before.

        Args:
            checkpoint: which is resumed, or None.
            is_first: whether this call of `train` has not failed before.
        """
        self.current_flos = 0
        # TRL's means, which its next log would take.
        for means in getattr(self, "_metrics", {}).values():
            means.clear()
        if hasattr(self, "_total_train_tokens"):
            self._total_train_tokens = 0

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        is_best = super()._determine_best_metric(metrics, trial)
        name = str(self.args.metric_for_best_model)
        name = name if name.startswith("eval_") else f"eval_{name}"
        if math.isnan(metrics.get(name, 0.0)) and not self._warned_of_nan and self.accelerator.is_main_process:
            self._warned_of_nan = True
            logger.warning(
                "`metric_for_best_model` %s is NaN at step %d: no model is the best by it, and early stopping counts "
                "this as no progress. Is there a number in the evaluation set? Else take 'eval_loss'.",
                name,
                self.state.global_step,
            )
        return is_best

    # ---- Data ----

    def _prepared(self, dataset: Any, description: str) -> tuple[Any, Any]:
        """A set and the collator as its loop sees them, "training" or "evaluation": without unknown columns."""
        if isinstance(dataset, Dataset):
            return self._remove_unused_columns(dataset, description=description), self.data_collator
        return dataset, self._get_collator_with_removed_columns(self.data_collator, description=description)

    @property
    def _process_scale(self) -> int:
        """Data-parallel training averages gradients over processes; sums over a global count have to be undone."""
        if not self.args.average_tokens_across_devices:
            return 1
        return self.accelerator.num_processes // self.get_tp_size()
