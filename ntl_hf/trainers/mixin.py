"""`NTLMixin`: what the trainers share. It hands tensors and counts to the objective and holds no maths."""

import logging
import weakref
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from transformers.trainer_utils import EvalLoopOutput, default_compute_objective

from ..head import can_write_over
from ..head.choice import HeadChoice
from ..head.fused import FusedHead
from ..head.one_pass import HeadPlan
from ..head.transform import LogitTransform
from ..losses.balance import Balance
from ..losses.head_output import IGNORE_INDEX, HeadOutput
from ..losses.labels import follow_virtual_tokens, shift_labels
from ..losses.objective import COMPONENT_NAMES, ComponentMeter, LossFactors, NTLObjective
from ..settings.arguments import resolve_ntl_config
from ..settings.config import NTLConfig
from ..tokens.number_layout import NumberSyntax
from ..tokens.number_vocab import NumberVocab
from .callback import NTLCallback
from .checks import (
    check_fsdp_in_force,
    check_has_labels,
    check_labels,
    check_loss_func,
    check_parallelism,
    check_placed_digits,
    check_smoothing,
    check_train_dataset,
    check_vocab,
    first_labels,
    has_random_access,
)
from .end_of_text import warn_without_end
from .layout_checks import check_layouts
from .lora import has_virtual_positions
from .metric_checks import check_best_metric
from .model_checks import check_head
from .model_kind import check_language_model
from .model_systems import check_model
from .plots import NTLPlotsMixin
from .quantized import keep_differentiable
from .run_record import RunRecord
from .saving import NTLSavingMixin
from .steps import StepMixin

logger = logging.getLogger(__name__)


class NTLMixin(NTLSavingMixin, NTLPlotsMixin, StepMixin):
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
        self._numbers_in_step: Tensor | None = None
        self._first_batch_checked = False
        self._settings_from_args = ntl_config is None
        self._use_settings(resolve_ntl_config(self.args, ntl_config))

    def _use_settings(self, config: NTLConfig) -> None:
        vocab = self._number_vocab
        if vocab is None:
            vocab = NumberVocab.from_tokenizer(self._require_tokenizer(), config.digits_only)
        self._vocab_size = check_vocab(self.model, vocab)
        self.ntl_callback = self._find_or_add_callback()
        self.ntl_config = self.ntl_callback.follow(config)
        check_smoothing(self)
        check_placed_digits(self.ntl_config, self.processing_class)
        reads_text = self.ntl_config.reads_text
        syntax = NumberSyntax.from_tokenizer(self._require_tokenizer(), vocab) if reads_text else None
        self.objective = NTLObjective(vocab, self.ntl_config, syntax)
        self._meters = {name: ComponentMeter(self.objective.term_names) for name in ("train", "eval")}
        self._start_balance()
        self._start_plots()
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
        # A trial may set `ntl_weight` and the like on the arguments.
        if trial is not None and self._settings_from_args:
            self._use_settings(resolve_ntl_config(self.args, None))

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
        return self.ntl_config.scale * (self.ntl_callback.factor if self.model.training else 1.0)

    def _start_balance(self) -> None:
        self._balance = None
        if self.ntl_config.balance == "none" or self.ntl_config.weight == 0:
            return
        self._balance = Balance(self.objective.number_loss, self.ntl_config.balance)
        reduce = partial(self.accelerator.reduce, reduction="sum")
        self.ntl_callback.update_balance = partial(self._balance.step, reduce)

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
        self._meters["train"] = ComponentMeter(self.objective.term_names)
        if self._balance is not None:
            self._balance.load(checkpoint)
        if not is_first:
            # The memory may have ended in the middle of the checks of the first batch.
            self._head_settled = self._own_loss_checked = False

    # ---- Counting ----

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if batches and not self._first_batch_checked:
            check_has_labels(batches[0])
            # Once: it reads values back from the device. Sets with a label column were checked whole before.
            check_labels(self._aligned_labels(batches[0]), self._vocab_size)
            if not has_random_access(self.train_dataset):
                warn_without_end(map(self._aligned_labels, batches), self.processing_class, self.model)
            self._first_batch_checked = True
        if batches:
            self._numbers_in_step = self._count_numbers(batches, device)
        return batches, num_items

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Any:
        # Of the labels that the loss has: the Trainer leaves the first out, also where virtual tokens predict it.
        counted = [self._as_aligned(batch) for batch in batch_samples]
        return super()._get_num_items_in_batch(counted, device)

    def _as_aligned(self, batch: dict[str, Any]) -> dict[str, Any]:
        if batch.get("labels") is None:
            return batch
        labels = self._aligned_labels(batch)
        return {"labels": labels, "shift_labels": labels}

    def _count_numbers(self, batches: list[dict[str, Any]], device: torch.device) -> Tensor | None:
        """Number tokens among the labels of all batches and processes, with the Trainer's own way of counting."""
        return self._get_num_items_in_batch([self._number_labels(batch) for batch in batches], device)

    def _number_labels(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        labels = self._aligned_labels(batch)
        labels = labels.masked_fill(self.objective.vocab.columns(labels) < 0, IGNORE_INDEX)
        # `shift_labels` are counted as they stand.
        return {"labels": labels, "shift_labels": labels}

    def _aligned_labels(self, batch: dict[str, Any]) -> Tensor:
        """Labels at the positions that predict them, `[B, T]`; `[B, T + 1]` where virtual tokens predict the first."""
        if "shift_labels" in batch:
            return batch["shift_labels"]
        if self._labels_are_aligned:
            return batch["labels"]
        return (follow_virtual_tokens if has_virtual_positions(self.model) else shift_labels)(batch["labels"])

    @property
    def _labels_are_aligned(self) -> bool:
        """Whether the logits at t are for the label at t, as in encoder-decoder and masked language models."""
        return self.model.config.is_encoder_decoder or getattr(self.model, "loss_type", None) == "ForMaskedLM"

    # ---- The loss ----

    def _plan_options(self) -> dict[str, Any]:
        """What the fused head is to do beside CE and NTL: arguments of `HeadPlan`."""
        return {}

    def _needs_logits(self) -> str | None:
        """Why the loss cannot be made without logits, or None."""
        return None

    def _choose_head(self) -> None:
        transform = LogitTransform.from_config(self.model.config)
        smoothing = None if self.objective.smoothing is None else self.objective.smoothing_at
        options = {
            "uses_mass": self.objective.uses_mass,
            "smoothing": smoothing,
            "syntax": self.objective.syntax,
            **self._plan_options(),
        }
        plan = HeadPlan(self.objective.vocab, self.objective.losses_at, transform, **options)
        self._fused_head = FusedHead(plan)
        self.head_choice = HeadChoice(self.ntl_config.head, self.model, self._needs_logits())
        self._head_model, self._head_settled = weakref.ref(self.model), False

    def _settle_head(self, model: Any, inputs: dict[str, Any]) -> None:
        """On the first batch, compare the fused head with the model's own logits, and say which head it will be."""
        if self._head_model() is not self.model:  # `model_init` makes one for each run
            self._choose_head()
        if self._head_settled:
            return
        self._head_settled = True
        if not self._first_batch_checked:
            check_labels(self._aligned_labels(inputs), self._vocab_size)
        model = getattr(model, "_orig_mod", model)  # a compiled model would be compiled again for the check
        if self.head_choice.is_fused:
            transforms = LogitTransform.candidates(self.model.config)
            text = self._text_inputs(inputs)
            found = check_head(model, self.model, self._fused_head, transforms, text, self._gather)
            if isinstance(found, str):
                self.head_choice.fall_back(found)
            else:
                self._fused_head = found
        if self.accelerator.is_main_process:
            shape = self._aligned_labels(inputs).shape
            logger.warning("%s: %s", type(self).__name__, self.head_choice.describe(shape, self._vocab_size))

    def _can_write_over(self, logits: Tensor) -> bool:
        """Whether the gradient may take the place of the logits: nobody else can be holding them."""
        hooks = getattr(self.accelerator.unwrap_model(self.model), "_forward_hooks", None)
        return can_write_over(logits) and not hooks

    def _gather(self, value: Tensor) -> Tensor:
        return self.accelerator.gather(value.to(self.accelerator.device))

    def _loss_factors(self, inputs: dict[str, Any], num_items: Tensor | int | None) -> LossFactors:
        """What the sums of a batch are multiplied by.

        `num_items` counts the labels of the whole step, over all processes; None takes the means of this batch.
        """
        labels = self._aligned_labels(inputs)
        num_numbers: Any
        if num_items is None:
            num_items, num_numbers = (labels != IGNORE_INDEX).sum(), (self.objective.vocab.columns(labels) >= 0).sum()
            scale = 1
        else:
            num_numbers = self._numbers_in_step
            if not self.model.training:
                num_numbers = self._count_numbers([inputs], self.args.device)
            scale = self._process_scale
        self.objective.number_loss.train(self.model.training)
        # A batch without labels, or a step without numbers, is a zero and not 0 / 0.
        ce, ntl = (scale / torch.as_tensor(n, device=labels.device).clamp(min=1) for n in (num_items, num_numbers))
        return LossFactors(ce, self.ntl_weight * ntl if self.ntl_weight > 0 else None)

    def _number_term(self, head: HeadOutput, factors: LossFactors) -> Tensor | float:
        """weight * NTL for one batch, with what soft targets add to CE; notes the components for the log."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and factors.ntl is not None):
            losses = self.objective.number_losses(head)
        self._note_components(self.objective.component_sums(head, losses.detach()))
        self._note_beliefs(head)
        if self._balance is not None and self.model.training:
            self._balance.add(self.objective.size_sums(head))
        term = 0.0 if factors.ntl is None else factors.ntl.to(losses.device) * losses.sum()
        smoothing = self.objective.smoothing_sum(head)
        return term if smoothing is None else term + factors.ce.to(smoothing.device) * smoothing

    # ---- The log ----

    def _note_components(self, sums: Tensor) -> None:
        if self.model.training:
            self._meters["train"].add(sums)
        else:
            # Distributed evaluation fills the last batch up with rows that it has seen; this drops them.
            self._meters["eval"].add(self.accelerator.gather_for_metrics(sums))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs.update(self._meters["train"].flush(self.accelerator.gather))
            logs["ntl_weight"] = self.ntl_config.scale * self.ntl_callback.factor
            if self._balance is not None:
                logs.update(self._balance.read())
        super().log(logs, start_time)

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> EvalLoopOutput:
        # `compute_metrics` may predict, which is another loop inside of this one.
        outer, self._meters["eval"] = self._meters["eval"], ComponentMeter(self.objective.term_names)
        try:
            output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
            means = self._meters["eval"].flush()
        finally:
            self._meters["eval"] = outer
        output.metrics.update({f"{metric_key_prefix}_{name}": value for name, value in means.items()})
        return output


def _objective_without_components(metrics: dict[str, float]) -> float:
    """The default of a hyperparameter search: `eval_loss`, or the sum of one's own metrics, as without the NTL's."""
    return default_compute_objective({k: v for k, v in metrics.items() if not k.endswith(COMPONENT_NAMES)})
