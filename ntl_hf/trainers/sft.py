"""`NTLSFTTrainer`, and what stands in for the model where TRL makes its loss."""

from functools import partial
from typing import Any

import torch
from datasets import Dataset, IterableDataset
from torch import Tensor, nn
from trl import SFTConfig, SFTTrainer
from trl.trainer.utils import FusedCausalLMOutput

from ..data.sets import check_has_rows, column_names
from ..data.text_columns import as_texts
from ..head import head_from_logits
from ..losses.head_output import HeadOutput
from ..losses.objective import LossFactors
from ..settings.arguments import NTLArguments
from ..tokens.targets import Targets
from .checks import check_columns
from .loss_side import HeadNeeds, LossSide
from .mixin import NTLMixin
from .model_kind import check_language_model, logits_of


class NTLSFTTrainer(NTLMixin, SFTTrainer):
    """`trl.SFTTrainer` with CE + weight * NTL, both from hidden states: no logits, no second forward pass.

    Takes the arguments of `SFTTrainer`, `ntl_config` and `number_vocab`. With `NTLSFTConfig` the settings are its
    `ntl_` fields. Label smoothing and `compute_loss_func`, both deprecated in TRL, work from the full logits that TRL
    builds for them. See `NTLMixin` for errors.

    Examples:
        >>> trainer = NTLSFTTrainer(model="ibm-granite/granite-3.2-2b-instruct", args=args, train_dataset=data)
        >>> trainer.train()
    """

    def __init__(self, model: Any, args: Any = None, *rest: Any, **kwargs: Any) -> None:
        if isinstance(args, NTLArguments) and not isinstance(args, SFTConfig):
            raise TypeError(f"`NTLSFTTrainer` takes `NTLSFTConfig` or `trl.SFTConfig`, not `{type(args).__name__}`.")
        if isinstance(model, nn.Module):
            check_language_model(model)  # before TRL looks for a head
        train_dataset = kwargs.get("train_dataset", rest[1] if rest[1:] else None)
        if train_dataset is not None:
            check_has_rows(train_dataset, "The training set")  # before TRL looks at the first
        super().__init__(model, args, *rest, **kwargs)

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, packing: bool, *rest: Any) -> Any:
        source = f"The data set '{rest[1]}'" if rest[1:] else "The data set"
        check_has_rows(dataset, source)
        if not rest or rest[0] is None:  # without a formatting function
            check_columns(dataset, args.dataset_text_field)
            dataset = _as_texts(dataset, args.dataset_text_field, source)
        prepared = super()._prepare_dataset(dataset, processing_class, args, packing, *rest)
        if hasattr(prepared, "__len__") and not len(prepared):
            raise ValueError(f"{source} has no row with a label left. {_why_no_labels(args.max_length)}")
        return prepared

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        self._loss_side.check_first(self, model, inputs)
        targets, factors = self._loss_side.targets_and_factors(self, inputs, num_items_in_batch)
        forward = _ForwardForTRL(model, self.model, self._loss_side, targets, factors)
        result = super().compute_loss(forward, inputs, return_outputs, num_items_in_batch)
        loss, outputs = result if return_outputs else (result, None)
        loss = loss + forward.rest_of_loss()
        return (loss, outputs) if return_outputs else loss

    def _head_needs(self) -> HeadNeeds:
        needed = None
        if self.compute_loss_func is not None:
            needed = "`compute_loss_func` is given, which reads the logits"
        elif self.args.label_smoothing_factor > 0 and self.args.loss_type == "nll":
            needed = "TRL smooths labels on the logits"
        return HeadNeeds(needed, {"dft": self.args.loss_type == "dft", "metrics": True})


class _ForwardForTRL:
    """Stands in for the model in one call of TRL's `compute_loss`, which makes metrics and the rest of the loss.

    TRL makes its cross entropy of the log-probabilities that its own fused head returns. Those of ours come without a
    gradient: that of CE + weight * NTL was made in the pass that made the values, and belongs to their sum. So TRL
    gets log-probabilities of 0, of which its cross entropy is 0, and `loss` has both, value and gradient. What TRL
    adds (the loss of a router) it adds to that. From logits, the log-probabilities have their gradient, and TRL gets
    them.

    The first call is the one that TRL makes its loss from; where it makes another, that is for metrics.

    Args:
        model: the model as it is called.
        unwrapped: the same without its wrappers for distributed training.
        side: what makes the loss, from hidden states or from the model's logits.
        targets: of the batch.
        factors: of the sums.
    """

    def __init__(
        self, model: Any, unwrapped: nn.Module, side: LossSide, targets: Targets, factors: LossFactors
    ) -> None:
        self._model, self._unwrapped, self._side = model, unwrapped, side
        self._targets, self._factors = targets, factors
        self._outputs: Any = None
        self._head: HeadOutput | None = None
        self._loss: Tensor | None = None

    def __call__(self, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head:
            outputs, head = self._model(*args, **kwargs), None
            result = outputs
        else:
            rest = {name: value for name, value in kwargs.items() if name not in ("labels", "shift_labels")}
            outputs, head, log_probs = self._run(*args, **rest)
            result = FusedCausalLMOutput(
                log_probs=log_probs,
                entropy=head.entropy,
                is_top1=head.is_top1,
                label_mask=head.label_mask,
                aux_loss=outputs.get("aux_loss"),
            )
        if self._outputs is None:
            self._outputs, self._head = outputs, head
        return result

    def _run(self, *args: Any, **kwargs: Any) -> tuple[Any, HeadOutput, Tensor]:
        targets = self._targets
        if not self._side.head_choice.is_fused:
            outputs = self._model(*args, **kwargs)
            head = head_from_logits(logits_of(outputs, targets.vocab), targets, metrics=True)
            return outputs, head, head.log_probs
        self._loss, outputs, head = self._side.fused_loss(
            partial(self._model, *args, **kwargs), self._unwrapped, targets, self._factors
        )
        return outputs, head, torch.zeros_like(head.log_probs)

    def rest_of_loss(self) -> Tensor | float:
        """What TRL's loss lacks: all of it from the fused head; the number loss from the logits of the first call."""
        if self._loss is not None:
            return self._loss
        if self._head is None:  # where TRL asks for logits, which it does without labels
            self._head = head_from_logits(logits_of(self._outputs, self._targets.vocab), self._targets)
        return self._side.number_term(self._head, self._factors)


def _as_texts(dataset: Any, text_field: str, source: str) -> Any:
    """The data set with texts in the columns that TRL makes tokens of."""
    if not isinstance(dataset, (Dataset, IterableDataset)):
        return dataset
    there = column_names(dataset)
    if "input_ids" in there:
        return dataset
    # TRL appends the end of text to the text field, also beside a prompt.
    sets = (("prompt", "completion", text_field), ("messages",), ("conversations",), (text_field,))
    names = next(names for names in sets if set(names[:2]) <= set(there))
    return as_texts(dataset, [name for name in names if name in there], source, turns=True)


def _why_no_labels(max_length: int | None) -> str:
    if max_length is None:
        return "Are the completions empty, or is there no turn of the assistant?"
    return f"`max_length` is {max_length}, where rows are cut: raise it, or shorten the prompts."
