"""`LossSide`: what a trainer makes its loss with: the objective, the head, the targets of the step, and the meters."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..head.choice import HeadChoice
from ..head.fused import FusedHead
from ..head.one_pass import HeadPlan
from ..head.transform import LogitTransform
from ..losses.balance import Balance
from ..losses.head_output import HeadOutput
from ..losses.objective import ComponentMeter, LossFactors, NTLObjective
from ..plots.sums import BeliefMeter
from ..tokens.number_layout import NumberSyntax
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import IGNORE_INDEX, StepTargets, Targets, make_targets
from .checks import check_vocab
from .first_batch import FirstBatch, check_first_loss
from .labels import aligned_labels
from .plots import wanted_plots


@dataclass(frozen=True)
class HeadNeeds:
    """What a trainer's own way of making the loss asks of the head.

    Attributes:
        logits: why the loss cannot be made without logits, or None.
        plan: what the fused head is to do beside CE and NTL: arguments of `HeadPlan`.
        is_all: whether the loss replaces the model's own, whose further terms are then told of.
    """

    logits: str | None
    plan: dict[str, Any]
    is_all: bool = False


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


class LossSide:
    """Makes the loss of a micro-batch as its share of the whole optimizer step, and notes its components.

    Args:
        trainer: whose settings and model are in force.
        vocab: the number tokens; None: they are found in the trainer's tokenizer.

    Attributes:
        objective: what is computed.
        balance: of the terms, or None.
        plots: pictures of evaluations, or None.
        vocab_size: number of logits.
        head, head_choice: the fused head, and whether it is the one that is used.
        first: checks of the first batch that are still to be made.
        counted: of the labels that were counted last: those of a step until its targets are kept, or of an evaluated
            batch.
        training: the loop of training.
        loop: the one that is running, of training unless there is an evaluation.
    """

    def __init__(self, trainer: Any, vocab: NumberVocab | None) -> None:
        config = trainer.ntl_config
        if vocab is None:
            vocab = NumberVocab.from_tokenizer(_tokenizer_of(trainer), config.digits_only)
        syntax = NumberSyntax.from_tokenizer(_tokenizer_of(trainer), vocab) if config.reads_text else None
        self.objective = NTLObjective(vocab, config, syntax)
        self.vocab_size = check_vocab(trainer.model, vocab)
        self._accelerator, self._process_factor = trainer.accelerator, trainer._process_scale
        self._terms_have_weights = config.terms_have_weights
        self.balance: Balance | None = None
        if config.balance != "none" and config.weight > 0:
            reduce = partial(self._accelerator.reduce, reduction="sum")
            self.balance = Balance(self.objective.number_loss, config.balance, reduce)
        self.plots = wanted_plots(trainer)
        self._beliefs()  # which raises for vocabularies that it cannot draw
        self.first, self.counted = FirstBatch("labels"), StepTargets()
        self.choose_head(trainer)
        self.begin_training()

    # ---- Loops over batches ----

    def begin_training(self) -> None:
        """Forget what was added up."""
        self.training = self.loop = Loop(self.objective)

    @contextmanager
    def evaluating(self, prefix: str) -> Iterator[dict[str, float]]:
        """The loop of an evaluation, which fills what it is given with the components at its end.

        `compute_metrics` or a callback may predict, which is another loop inside of it.
        """
        means: dict[str, float] = {}
        outer, loop = self.loop, Loop(self.objective, self._beliefs())
        self.loop = loop
        try:
            yield means
        finally:
            self.loop = outer
        if self.plots is not None and loop.beliefs is not None:
            self.plots.keep(prefix, loop.beliefs)
        means.update({f"{prefix}_{name}": value for name, value in loop.components.flush().items()})

    def _beliefs(self) -> BeliefMeter | None:
        return None if self.plots is None else BeliefMeter(self.objective.vocab)

    # ---- Targets: made where the Trainer counts the labels, and taken where it makes the loss ----

    def count(self, model: Any, batches: list[Any]) -> list[Tensor]:
        """The labels of some batches as the loss has them, whose targets are kept."""
        targets = [self._to_count(model, batch) for batch in batches]
        self.counted.remember(list(map(_given_labels, batches)), targets)
        return [each.labels for each in targets]

    def begin_step(self, model: Any, batches: list[Any]) -> list[Tensor]:
        """The number labels of the batches of a step of training, whose targets are kept for it."""
        given = list(map(_given_labels, batches))
        pairs = zip(given, batches, strict=True)
        targets = [self.counted.take(labels) or self._to_count(model, batch) for labels, batch in pairs]
        self.training.targets.remember(given, targets)
        return [each.number_labels for each in targets]

    def _to_count(self, model: Any, batch: Any) -> Targets:
        # Without layouts: those of all micro-batches of a step would be kept at once.
        return make_targets(aligned_labels(model, batch), self.objective.vocab)

    def targets_and_factors(
        self, trainer: Any, inputs: dict[str, Any], num_items: Tensor | int | None
    ) -> tuple[Targets, LossFactors]:
        """What is known of a batch before there are logits, and what its sums are multiplied by.

        Args:
            trainer: whose model is in training or in evaluation mode.
            inputs: the batch.
            num_items: labels of the whole step, over all processes; None takes the means of this batch.
        """
        is_training = trainer.model.training
        step = self.training.targets
        targets = (step if is_training else self.counted).take(_given_labels(inputs))
        if targets is None:
            targets = self._to_count(trainer.model, inputs)
        numbers: Any = step.num_numbers
        if num_items is not None and not is_training:
            numbers = trainer._count([targets.number_labels])
        if self.objective.syntax is not None:
            targets = self.objective.targets(targets.labels)
        if self.objective.number_loss.training != is_training:
            self.objective.number_loss.train(is_training)
        factor = self._process_factor
        if num_items is None:
            num_items, numbers = (targets.labels != IGNORE_INDEX).sum(), (targets.columns >= 0).sum()
            factor = 1
        # A batch without labels, or a step without numbers, is a zero and not 0 / 0.
        ce, ntl = [
            factor / torch.as_tensor(n, device=targets.labels.device).clamp(min=1) for n in (num_items, numbers)
        ]
        weight = self.weight(trainer, is_training)
        return targets, LossFactors(ce, weight * ntl if weight > 0 else None)

    def weight(self, trainer: Any, is_training: bool) -> float:
        """Of the number loss: in training as scheduled, in evaluation in full, to stay comparable."""
        # Read at each step: a callback may set it. `ntl_config.scale` would parse the terms each time.
        weight = trainer.ntl_config.weight
        full = 1.0 if self._terms_have_weights and weight > 0 else float(weight)
        return full * trainer.ntl_callback.factor if is_training else full

    # ---- The loss ----

    def fused_loss(
        self, run: Callable[[], Any], unwrapped: nn.Module, targets: Targets, factors: LossFactors
    ) -> tuple[Tensor, Any, HeadOutput]:
        """CE + weight * NTL of a batch from hidden states, what the model returned, and the head's output.

        Args:
            run: calls the model, without labels.
            unwrapped: the model without its wrappers for distributed training.
            targets: of the batch.
            factors: of the sums.
        """
        with self.head.collect(unwrapped, targets, factors.sum_weight) as result:
            outputs = run()
        self._note(result.output, self.objective.number_losses(result.output))
        # The sum of no logits, 0: it ties the loss to the model's output, where wrappers have their hooks.
        total, tie = result.loss, outputs["logits"].sum()
        return factors.ce.to(total.device) * total + tie.to(total.device), outputs, result.output

    def number_term(self, head: HeadOutput, factors: LossFactors) -> Tensor | float:
        """weight * NTL for one batch, with what soft targets add to CE, where the head has not added it to CE."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and factors.ntl is not None):
            losses = self.objective.number_losses(head)
        self._note(head, losses.detach())
        term = 0.0 if factors.ntl is None else factors.ntl.to(losses.device) * losses.sum()
        smoothing = self.objective.smoothing_sum(head)
        return term if smoothing is None else term + factors.ce.to(smoothing.device) * smoothing

    def _note(self, head: HeadOutput, number_losses: Tensor) -> None:
        """Add up what the log, the balance and the pictures are made of; `[B, T]`, without gradient."""
        sums = self.objective.component_sums(head, number_losses)
        if self.objective.number_loss.training:
            self.training.components.add(sums)
            if self.balance is not None:
                self.balance.add(self.objective.size_sums(head))
        elif self.loop is not self.training:
            # Distributed evaluation fills the last batch up with rows that it has seen; this drops them.
            self.loop.components.add(self._accelerator.gather_for_metrics(sums))
            if self.loop.beliefs is not None:
                self.loop.beliefs.add(self._accelerator.gather_for_metrics(self.loop.beliefs.sums(head)))

    # ---- The head ----

    def choose_head(self, trainer: Any) -> None:
        """The head that the settings and the model of a trainer call for; it is checked on the next batch."""
        objective, needs = self.objective, trainer._head_needs()
        plan = HeadPlan(
            objective.vocab,
            objective.losses_at,
            LogitTransform.from_config(trainer.model.config),
            uses_mass=objective.uses_mass,
            smoothing=None if objective.smoothing is None else objective.smoothing_at,
            **needs.plan,
        )
        self.head = FusedHead(plan)
        self.head_choice = HeadChoice(trainer.ntl_config.head, trainer.model, needs.logits)
        self._model = weakref.ref(trainer.model)  # `model_init` makes a model for each run
        self._checks = {"head", "own loss"} if needs.is_all else {"head"}
        self.check_again()

    def check_again(self) -> None:
        """Look at the model on the next batch: another one, or one whose checks the memory has ended."""
        self.first.due |= self._checks

    def check_first(self, trainer: Any, model: Any, inputs: dict[str, Any]) -> None:
        """See `check_first_loss`, where these are the first inputs of the trainer's model."""
        if self._model() is not trainer.model:
            self.choose_head(trainer)
        if self.first.due:
            check_first_loss(trainer, model, inputs)


def _given_labels(batch: Any) -> Tensor:
    return batch["shift_labels"] if "shift_labels" in batch else batch["labels"]


def _tokenizer_of(trainer: Any) -> Any:
    if trainer.processing_class is None:
        raise ValueError(
            f"{type(trainer).__name__} needs the tokenizer to know which tokens are numbers: pass "
            "`processing_class=tokenizer` (or `number_vocab=NumberVocab...`)."
        )
    return trainer.processing_class
