"""`FirstBatch`: what is checked once, on the first batch of a training or of a model."""

import logging
import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from ..head.transform import LogitTransform
from .checks import check_has_labels, check_labels, has_random_access
from .end_of_text import warn_without_end
from .model_checks import check_head

logger = logging.getLogger(__name__)


class FirstBatch:
    """Which checks are still to be made: of the "labels", the "head" and the model's "own loss".

    Args:
        model: that they are of.

    Attributes:
        due: those that are still to be made.
        model: a weak reference; `model_init` makes a model for each run.
    """

    def __init__(self, model: nn.Module) -> None:
        self.due = {"labels"}
        self.renew(model)

    def renew(self, model: nn.Module) -> None:
        """Check another model, or one whose checks the memory has ended."""
        self.model = weakref.ref(model)
        self.due |= {"head", "own loss"}


def check_first_labels(trainer: Any, batches: list[Any], labels: Iterable[Tensor]) -> None:
    """Look at the labels of the batches of the first step, which reads values back from the device.

    Sets with a label column were checked whole before.

    Args:
        trainer: with the set that they are of.
        batches: of the step.
        labels: of each, aligned.

    Raises:
        ValueError: batches without labels, or labels outside the vocabulary.
    """
    check_has_labels(batches[0])
    labels = list(labels)
    check_labels(labels[0], trainer._vocab_size)
    if not has_random_access(trainer.train_dataset):
        warn_without_end(labels, trainer.processing_class, trainer.model)
    trainer._first_batch.due.discard("labels")


def settle_head(trainer: Any, model: Any, inputs: dict[str, Any]) -> None:
    """Compare the fused head with the model's own logits, and say which head it will be.

    Args:
        trainer: whose head it is.
        model: as it is called.
        inputs: the first batch.
    """
    trainer._first_batch.due.discard("head")
    choice, accelerator = trainer.head_choice, trainer.accelerator
    labels = trainer._aligned_labels(inputs)
    if "labels" in trainer._first_batch.due:
        check_labels(labels, trainer._vocab_size)
    model = getattr(model, "_orig_mod", model)  # a compiled model would be compiled again for the check
    if choice.is_fused:
        text = trainer._text_inputs(inputs)
        found = check_head(
            model,
            trainer.model,
            trainer._fused_head,
            LogitTransform.candidates(trainer.model.config),
            text,
            trainer.objective.targets(text.pop("labels")),
            lambda value: accelerator.gather(value.to(accelerator.device)),
        )
        if isinstance(found, str):
            choice.fall_back(found)
        else:
            trainer._fused_head = found
    if accelerator.is_main_process:
        logger.warning("%s: %s", type(trainer).__name__, choice.describe(labels.shape, trainer._vocab_size))
