"""Labels that are looked at before training, and `FirstBatch`: what is checked once, on the first batch."""

import logging
from collections.abc import Callable
from itertools import islice
from typing import Any

from ..head.transform import LogitTransform
from ..losses.objective import COMPONENT_NAMES
from .checks import check_has_labels, check_labels, check_train_dataset, first_labels, has_random_access
from .end_of_text import warn_without_end
from .labels import aligned_labels, inputs_without_labels, labels_are_aligned
from .layout_checks import check_layouts
from .metric_checks import check_best_metric
from .model_checks import check_head, text_of, warn_about_own_loss

logger = logging.getLogger(__name__)


class FirstBatch:
    """Checks that read values back from the device, and are made once.

    Args:
        names: of the checks.

    Attributes:
        due: names of those that are still to be made.
    """

    def __init__(self, *names: str) -> None:
        self.due = set(names)

    def make(self, name: str, check: Callable[..., Any], *args: Any) -> None:
        """Make a check if it is due; where it raises, it stays due."""
        if name in self.due:
            check(*args)
            self.due.discard(name)


def check_training_labels(trainer: Any) -> None:
    """Look at the labels of a training set, and at what its evaluations will measure.

    Args:
        trainer: with its settings in force.

    Raises:
        ValueError: see `check_train_dataset`, `check_layouts` and `check_best_metric`.
    """
    dataset, collate = trainer._prepared(trainer.train_dataset, "training")
    config, objective = trainer.ntl_config, trainer.objective
    vocab_size = trainer._loss_side.vocab_size
    check_train_dataset(dataset, collate, objective.vocab, vocab_size, need_numbers=config.needs_numbers)
    reads_layouts = objective.syntax is not None and config.weight > 0
    # A few: what ends and numbers look like is seen in the first of them.
    labels = list(islice(first_labels(dataset, collate), 4 if reads_layouts else 1))
    trained = [aligned_labels(trainer.model, {"labels": each}) for each in labels]
    warn_without_end(trained, trainer.processing_class, trainer.model)
    if reads_layouts:
        is_all = bool(labels) and sum(map(len, labels)) == len(dataset)
        check_layouts(labels, objective.syntax, config, is_all)
    check_best_metric(trainer, (*COMPONENT_NAMES, *objective.term_names))


def check_first_labels(trainer: Any, batches: list[Any]) -> None:
    """Look at the labels of the batches of the first step; sets with a label column were checked whole before.

    Args:
        trainer: with the set that they are of.
        batches: of the step.

    Raises:
        ValueError: batches without labels, or labels outside the vocabulary.
    """
    check_has_labels(batches[0])
    labels = [aligned_labels(trainer.model, batch) for batch in batches]
    check_labels(labels[0], trainer._loss_side.vocab_size)
    if not has_random_access(trainer.train_dataset):
        warn_without_end(labels, trainer.processing_class, trainer.model)


def check_first_loss(trainer: Any, model: Any, inputs: dict[str, Any]) -> None:
    """On the first batch of a model, compare the fused head and its loss with its own, and say which head it is.

    Args:
        trainer: whose head it is.
        model: as it is called.
        inputs: the batch.
    """
    first = trainer._loss_side.first
    first.make("head", _settle_head, trainer, model, inputs)
    if trainer.model.training:
        shift = not labels_are_aligned(trainer.model)
        first.make("own loss", warn_about_own_loss, model, inputs, trainer.objective.vocab, shift)


def _settle_head(trainer: Any, model: Any, inputs: dict[str, Any]) -> None:
    side, accelerator = trainer._loss_side, trainer.accelerator
    labels = aligned_labels(trainer.model, inputs)
    if "labels" in side.first.due:
        check_labels(labels, side.vocab_size)
    if side.head_choice.is_fused:
        ids = text_of(inputs)
        found = check_head(
            getattr(model, "_orig_mod", model),  # a compiled model would be compiled again for the check
            trainer.model,
            side.head,
            LogitTransform.candidates(trainer.model.config),
            inputs_without_labels(accelerator.unwrap_model(trainer.model), {"input_ids": ids, "labels": ids}),
            trainer.objective.targets(ids),
            lambda value: accelerator.gather(value.to(accelerator.device)),
        )
        if isinstance(found, str):
            side.head_choice.fall_back(found)
        else:
            side.head = found
    if accelerator.is_main_process:
        logger.warning("%s: %s", type(trainer).__name__, side.head_choice.describe(labels.shape, side.vocab_size))
