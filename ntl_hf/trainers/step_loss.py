"""`StepLoss`: the loss of a micro-batch as its share of the whole optimizer step, and what of it goes into the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from ..losses.balance import Balance
from ..losses.head_output import HeadOutput
from ..losses.objective import ComponentMeter, LossFactors, NTLObjective
from ..plots.sums import BeliefMeter
from ..tokens.targets import IGNORE_INDEX, StepTargets, Targets


class Loop:
    """What one loop over batches, that of training or of an evaluation, adds up.

    Args:
        objective: whose components are added up.
        beliefs: what the model believes of digits, for the pictures of an evaluation.
    """

    def __init__(self, objective: NTLObjective, beliefs: BeliefMeter | None = None) -> None:
        self.targets = StepTargets()
        self.components = ComponentMeter(objective.term_names)
        self.beliefs = beliefs


class StepLoss:
    """Makes the number loss of the head's output, and notes the components of the loss.

    Args:
        objective: what is computed.
        accelerator: of the trainer.
        process_factor: undoes the mean over processes that data parallelism makes of the gradients.
        balance: of the terms, or None.
        has_plots: whether evaluations are drawn.

    Attributes:
        training: the loop of training.
        loop: the one that is running, of training unless there is an evaluation.
    """

    def __init__(
        self,
        objective: NTLObjective,
        accelerator: Accelerator,
        process_factor: int,
        balance: Balance | None,
        has_plots: bool,
    ) -> None:
        self._objective, self._accelerator, self._process_factor = objective, accelerator, process_factor
        self._balance, self._has_plots = balance, has_plots
        self.begin_training()
        if has_plots:
            BeliefMeter(objective.vocab)  # which raises for vocabularies that it cannot draw

    def begin_training(self) -> None:
        """Forget what was added up."""
        self.training = self.loop = Loop(self._objective)

    @contextmanager
    def evaluating(self) -> Iterator[Loop]:
        """The loop of an evaluation; `compute_metrics` or a callback may predict, which is another inside of it."""
        beliefs = BeliefMeter(self._objective.vocab) if self._has_plots else None
        outer, self.loop = self.loop, Loop(self._objective, beliefs)
        try:
            yield self.loop
        finally:
            self.loop = outer

    def factors(
        self, targets: Targets, num_items: Tensor | int | None, num_numbers: Tensor | None, weight: float
    ) -> LossFactors:
        """What the sums of a batch are multiplied by.

        Args:
            targets: of the batch.
            num_items: labels of the whole step, over all processes; None takes the means of this batch.
            num_numbers: number tokens among them.
            weight: of the number loss.
        """
        numbers: Any = num_numbers
        factor = self._process_factor
        if num_items is None:
            num_items, numbers = (targets.labels != IGNORE_INDEX).sum(), (targets.columns >= 0).sum()
            factor = 1
        # A batch without labels, or a step without numbers, is a zero and not 0 / 0.
        ce, ntl = [
            factor / torch.as_tensor(n, device=targets.labels.device).clamp(min=1) for n in (num_items, numbers)
        ]
        return LossFactors(ce, weight * ntl if weight > 0 else None)

    def number_term(self, head: HeadOutput, factors: LossFactors, is_training: bool) -> Tensor | float:
        """weight * NTL for one batch, with what soft targets add to CE, where the head has not added it to CE."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and factors.ntl is not None):
            losses = self._objective.number_losses(head)
        self.note(head, losses.detach(), is_training)
        term = 0.0 if factors.ntl is None else factors.ntl.to(losses.device) * losses.sum()
        smoothing = self._objective.smoothing_sum(head)
        return term if smoothing is None else term + factors.ce.to(smoothing.device) * smoothing

    def note(self, head: HeadOutput, number_losses: Tensor, is_training: bool) -> None:
        """Add up what the log, the balance and the pictures are made of.

        Args:
            head: the head's output.
            number_losses: `[B, T]`, without gradient.
            is_training: whether this is a step of training.
        """
        sums = self._objective.component_sums(head, number_losses)
        if is_training:
            self.training.components.add(sums)
            if self._balance is not None:
                self._balance.add(self._objective.size_sums(head))
        elif self.loop is not self.training:
            # Distributed evaluation fills the last batch up with rows that it has seen; this drops them.
            self.loop.components.add(self._accelerator.gather_for_metrics(sums))
            if self.loop.beliefs is not None:
                self.loop.beliefs.add(self._accelerator.gather_for_metrics(self.loop.beliefs.sums(head)))


def fused_loss(total: Tensor, outputs: Any, factors: LossFactors) -> Tensor:
    """The loss of a batch, from the sum that a fused head has made; its gradient comes with it."""
    # The sum of no logits, 0: it ties the loss to the model's output, where wrappers have their hooks.
    return factors.ce.to(total.device) * total + outputs["logits"].sum().to(total.device)
