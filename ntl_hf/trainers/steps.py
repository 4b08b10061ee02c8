"""`StepMixin`: how the trainers of this package take steps, whatever their loss."""

from typing import Any

import torch
from datasets import Dataset

from ..interrupt import keep_workers


class StepMixin:
    """Losses that are shares of the whole optimizer step; mixed into a `transformers` trainer, before that class."""

    # The loss is divided by counts over the whole optimizer step, so that the Trainer must not divide it again.
    loss_is_scaled_for_ga = True

    def get_train_dataloader(self) -> Any:
        return keep_workers(super().get_train_dataloader())

    def get_eval_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        return keep_workers(super().get_eval_dataloader(*args, **kwargs))

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        if 0 < self.state.max_steps <= self.state.global_step:
            # The stock trainer takes one more step when a finished run is resumed.
            self.control.should_training_stop = True
            return [], None
        return super().get_batch_samples(epoch_iterator, num_batches, device)

    def _rows_and_collator(self) -> tuple[Any, Any]:
        """The training set and the collator as training sees them, without columns that the model does not know."""
        dataset, collate = self.train_dataset, self.data_collator
        if isinstance(dataset, Dataset):
            return self._remove_unused_columns(dataset, description="training"), collate
        return dataset, self._get_collator_with_removed_columns(collate, description="training")

    @property
    def _process_scale(self) -> int:
        """Data-parallel training averages gradients over processes; sums over a global count have to be undone."""
        if not self.args.average_tokens_across_devices:
            return 1
        return self.accelerator.num_processes // self.get_tp_size()
