"""`NTLMixin`: the hooks of the Trainer that add the number loss. The work is done by the objects that it owns."""

import logging
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from transformers.trainer_utils import EvalLoopOutput, default_compute_objective

from ..head.choice import HeadChoice
from ..head.fused import FusedHead
from ..head.one_pass import HeadPlan
from ..head.transform import LogitTransform
from ..losses.balance import Balance
from ..losses.objective import COMPONENT_NAMES, LossFactors, NTLObjective
from ..settings.arguments import resolve_ntl_config
from ..settings.config import NTLConfig
from ..tokens.number_layout import NumberSyntax
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import StepTargets, Targets, follow_virtual_tokens, make_targets, shift_labels
from .callback import NTLCallback
from .checks import (
    check_fsdp_in_force,
    check_loss_func,
    check_parallelism,
    check_placed_digits,
    check_smoothing,
    check_train_dataset,
    check_vocab,
    first_labels,
)
from .end_of_text import warn_without_end
from .first_batch import FirstBatch, check_first_labels, settle_head
from .layout_checks import check_layouts
from .lora import has_virtual_positions
from .metric_checks import check_best_metric
from .model_kind import check_language_model
from .model_systems import check_model
from .plots import wanted_plots
from .quantized import keep_differentiable
from .run_record import RunRecord
from .saving import NTLSavingMixin
from .step_loss import StepLoss
from .steps import StepMixin

logger = logging.getLogger(__name__)


class NTLMixin(NTLSavingMixin, StepMixin):
    """Adds the number loss to a `transformers` trainer that it is mixed into, before that class.

    Args:
        ntl_config: the settings; without it, those of the argument class, or the defaults.
        number_vocab: the number tokens; without it, they are found in the tokenizer.

    The other arguments are those of the stock trainer.

    Raises:
        ValueError: settings that disagree, no tokenizer, a vocabulary that does not fit the model, `nn.DataParallel`
            or DeepSpeed sequence parallelism; no language model, a model with a number head, or the number tokens of
            a Regression Transformer with a plain model.
        NoNumberTokensError: the tokenizer has no number tokens.
    """

    def __init__(
        self,
        *args: Any,
        ntl_config: NTLConfig | None = None,
        number_vocab: NumberVocab | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        check_parallelism(self)
        check_fsdp_in_force(self)
        check_loss_func(self)
        check_model(self.model, self.processing_class)
        check_language_model(self.model)
        keep_differentiable(self.model)
        # Without this, the Trainer does not count the tokens of the step for models whose forward has no `**kwargs`,
        # and their gradient depends on the accumulation.
        self.model_accepts_loss_kwargs = True
        self._number_vocab = number_vocab
        self._first_batch = FirstBatch(self.model)
        # Of the labels that were counted last: those of a step until its targets are kept, or of an evaluated batch.
        self._counted = StepTargets()
        self._settings_from_args = ntl_config is None
        self._use_settings(resolve_ntl_config(self.args, ntl_config))

    def _use_settings(self, config: NTLConfig) -> None:
        vocab = self._number_vocab
        if vocab is None:
            vocab = NumberVocab.from_tokenizer(self._require_tokenizer(), config.digits_only)
        self._vocab_size = check_vocab(self.model, vocab)
        self.ntl_callback = self._find_or_add_callback()
        self.ntl_config = self.ntl_callback.resolve(config)
        self._terms_have_weights = self.ntl_config.terms_have_weights
        check_smoothing(self)
        check_placed_digits(self.ntl_config, self.processing_class)
        reads_text = self.ntl_config.reads_text
        syntax = NumberSyntax.from_tokenizer(self._require_tokenizer(), vocab) if reads_text else None
        self.objective = NTLObjective(vocab, self.ntl_config, syntax)
        self._balance = None
        if self.ntl_config.balance != "none" and self.ntl_config.weight > 0:
            reduce = partial(self.accelerator.reduce, reduction="sum")
            self._balance = Balance(self.objective.number_loss, self.ntl_config.balance, reduce)
        self._plots = wanted_plots(self)
        self.ntl_callback.balance, self.ntl_callback.pictures = self._balance, self._plots
        self._step_loss = StepLoss(
            self.objective, self.accelerator, self._process_scale, self._balance, self._plots is not None
        )
        self._choose_head()
        logger.info("%s: %d number tokens, %s", type(self).__name__, len(vocab), self.ntl_config)

    def _find_or_add_callback(self) -> NTLCallback:
        found = [callback for callback in self.callback_handler.callbacks if isinstance(callback, NTLCallback)]
        if not found:
            found = [NTLCallback()]
            super().add_callback(found[0])
        return found[-1]

    def add_callback(self, callback: Any) -> None:
        previous = getattr(self, "ntl_callback", None)
        super().add_callback(callback)
        if previous is None:
            return
        check_loss_func(self)
        if self._find_or_add_callback() is not previous:
            self.remove_callback(previous)
            self._use_settings(self.ntl_config)

    def _hp_search_setup(self, trial: Any) -> None:
        super()._hp_search_setup(trial)
        # A trial has an accelerator of its own, and may set `ntl_weight` and the like on the arguments.
        if trial is not None:
            self._use_settings(resolve_ntl_config(self.args, None) if self._settings_from_args else self.ntl_config)

    def hyperparameter_search(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("compute_objective") is None:
            kwargs["compute_objective"] = _objective_without_components
        return super().hyperparameter_search(*args, **kwargs)

    def _require_tokenizer(self) -> Any:
        if self.processing_class is None:
            raise ValueError(
                f"{type(self).__name__} needs the tokenizer to know which tokens are numbers: pass "
                "`processing_class=tokenizer` (or `number_vocab=NumberVocab...`)."
            )
        return self.processing_class

    @property
    def ntl_weight(self) -> float:
        """The weight of the number loss: in training as scheduled, in evaluation in full, to stay comparable."""
        return self._full_weight * (self.ntl_callback.factor if self.model.training else 1.0)

    @property
    def _full_weight(self) -> float:
        # Read at each step: a callback may set it. `ntl_config.scale` would parse the terms each time.
        weight = self.ntl_config.weight
        return 1.0 if self._terms_have_weights and weight > 0 else float(weight)

    # ---- Before training ----

    def check_training_data(self) -> None:
        """Raise `ValueError` for labels outside the vocabulary, or, unless the weight is 0, if none is a number.

        And for a `metric_for_best_model` that no evaluation can tell.

        `train` calls it; call it yourself to know before a long set-up.
        """
        dataset, collate = self._rows_and_collator()
        check_train_dataset(
            dataset, collate, self.objective.vocab, self._vocab_size, need_numbers=self.ntl_config.needs_numbers
        )
        reads_layouts = self.objective.syntax is not None and self.ntl_config.weight > 0
        # A few: what ends and numbers look like is seen in the first of them.
        labels = list(islice(first_labels(dataset, collate), 4 if reads_layouts else 1))
        trained = [self._aligned_labels({"labels": each}) for each in labels]
        warn_without_end(trained, self.processing_class, self.model)
        if reads_layouts:
            is_all = bool(labels) and sum(map(len, labels)) == len(dataset)
            check_layouts(labels, self.objective.syntax, self.ntl_config, is_all)
        check_best_metric(self, (*COMPONENT_NAMES, *self.objective.term_names))

    def _run_record(self) -> RunRecord:
        return RunRecord(self.ntl_config, () if self._balance is None else (self._balance,))

    def _begin_attempt(self, checkpoint: str | None, is_first: bool) -> None:
        super()._begin_attempt(checkpoint, is_first)
        self._step_loss.begin_training()
        if self._balance is not None:
            self._balance.load(checkpoint)
        if not is_first:
            # The memory may have ended in the middle of the checks of the first batch.
            self._first_batch.renew(self.model)

    # ---- Targets: made where the Trainer counts the labels, and taken where it makes the loss ----

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        self._counted.clear()
        batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if not batches:
            return batches, num_items
        if "labels" in self._first_batch.due:
            check_first_labels(self, batches, map(self._aligned_labels, batches))
        targets = [self._counted.take(_given_labels(batch)) or self._to_count(batch) for batch in batches]
        step = self._step_loss.training.targets
        step.remember([_given_labels(batch) for batch in batches], targets)
        step.num_numbers = self._count([each.number_labels for each in targets], device)
        return batches, num_items

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Any:
        # Of the labels that the loss has: the Trainer leaves the first out, also where virtual tokens predict it.
        if any(batch.get("labels") is None for batch in batch_samples):
            return super()._get_num_items_in_batch(batch_samples, device)
        targets = [self._to_count(batch) for batch in batch_samples]
        self._counted.remember([_given_labels(batch) for batch in batch_samples], targets)
        return self._count([each.labels for each in targets], device)

    def _count(self, labels: list[Tensor], device: torch.device) -> Any:
        """Labels of all batches and processes, with the Trainer's own way of counting."""
        # `shift_labels` are counted as they stand.
        return super()._get_num_items_in_batch([{"labels": each, "shift_labels": each} for each in labels], device)

    def _to_count(self, batch: dict[str, Any]) -> Targets:
        # Without layouts: those of all micro-batches of a step would be kept at once.
        return make_targets(self._aligned_labels(batch), self.objective.vocab)

    def _targets_and_factors(
        self, inputs: dict[str, Any], num_items: Tensor | int | None
    ) -> tuple[Targets, LossFactors]:
        is_training = self.model.training
        step = self._step_loss.training.targets
        known, num_numbers = step if is_training else self._counted, step.num_numbers
        targets = known.take(_given_labels(inputs))
        if targets is None:
            targets = self._to_count(inputs)
        if num_items is not None and not is_training:
            num_numbers = self._count([targets.number_labels], self.args.device)
        if self.objective.syntax is not None:
            targets = self.objective.targets(targets.labels)
        if self.objective.number_loss.training != is_training:
            self.objective.number_loss.train(is_training)
        return targets, self._step_loss.factors(targets, num_items, num_numbers, self.ntl_weight)

    def _aligned_labels(self, batch: dict[str, Any]) -> Tensor:
        """Labels at the positions that predict them, `[B, T]`; `[B, T + 1]` where virtual tokens predict the first."""
        if "shift_labels" in batch or self._labels_are_aligned:
            return _given_labels(batch)
        return (follow_virtual_tokens if has_virtual_positions(self.model) else shift_labels)(batch["labels"])

    @property
    def _labels_are_aligned(self) -> bool:
        """Whether the logits at t are for the label at t, as in encoder-decoder and masked language models."""
        return self.model.config.is_encoder_decoder or getattr(self.model, "loss_type", None) == "ForMaskedLM"

    # ---- The head ----

    def _plan_options(self) -> dict[str, Any]:
        """What the fused head is to do beside CE and NTL: arguments of `HeadPlan`."""
        return {}

    def _needs_logits(self) -> str | None:
        """Why the loss cannot be made without logits, or None."""
        return None

    def _choose_head(self) -> None:
        plan = HeadPlan(
            self.objective.vocab,
            self.objective.losses_at,
            LogitTransform.from_config(self.model.config),
            uses_mass=self.objective.uses_mass,
            smoothing=None if self.objective.smoothing is None else self.objective.smoothing_at,
            **self._plan_options(),
        )
        self._fused_head = FusedHead(plan)
        self.head_choice = HeadChoice(self.ntl_config.head, self.model, self._needs_logits())
        self._first_batch.renew(self.model)

    def _settle_head(self, model: Any, inputs: dict[str, Any]) -> None:
        """On the first batch, compare the fused head with the model's own logits, and say which head it will be."""
        if self._first_batch.model() is not self.model:
            self._choose_head()
        if "head" in self._first_batch.due:
            settle_head(self, model, inputs)

    # ---- The log ----

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs.update(self._step_loss.training.components.flush(self.accelerator.gather))
            logs["ntl_weight"] = self._full_weight * self.ntl_callback.factor
            if self._balance is not None:
                logs.update(self._balance.read())
        super().log(logs, start_time)

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> EvalLoopOutput:
        with self._step_loss.evaluating() as loop:
            output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
        if self._plots is not None and loop.beliefs is not None:
            self._plots.keep(metric_key_prefix, loop.beliefs)
        means = loop.components.flush()
        output.metrics.update({f"{metric_key_prefix}_{name}": value for name, value in means.items()})
        return output


def _given_labels(batch: dict[str, Any]) -> Tensor:
    return batch["shift_labels"] if "shift_labels" in batch else batch["labels"]


def _objective_without_components(metrics: dict[str, float]) -> float:
    """The default of a hyperparameter search: `eval_loss`, or the sum of one's own metrics, as without the NTL's."""
    return default_compute_objective({k: v for k, v in metrics.items() if not k.endswith(COMPONENT_NAMES)})
