"""`SFTForward`: our head in the place of TRL's, for one call of TRL's `compute_loss`."""

from typing import Any

import torch
from torch import Tensor, nn
from trl.trainer.utils import FusedCausalLMOutput

from ..head import head_from_logits
from ..head.fused import FusedHead, HeadTask
from ..losses.head_output import HeadOutput
from ..losses.labels import align_labels
from ..losses.objective import LossFactors, NTLObjective
from .model_kind import logits_of


class SFTForward:
    """Stands in for the model: what TRL would get from its fused head, it gets from ours, or from logits.

    The first call is the one that TRL makes its loss from; where it makes another, that is for metrics.

    Args:
        model: the model as it is called.
        unwrapped: the same without its wrappers for distributed training.
        fused_head: None takes the model's logits.
        objective: what the number loss looks at.
        factors: of the sums.
    """

    def __init__(
        self,
        model: Any,
        unwrapped: nn.Module,
        fused_head: FusedHead | None,
        objective: NTLObjective,
        factors: LossFactors,
    ) -> None:
        self._model, self._unwrapped = model, unwrapped
        self._fused_head, self._objective, self._factors = fused_head, objective, factors
        self._first_outputs: Any = None
        self._first_head: HeadOutput | None = None
        self._gradient_of: Tensor | None = None

    def __call__(self, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head:
            outputs, head = self._model(*args, **kwargs), None
            result = outputs
        else:
            labels, aligned = kwargs.pop("labels", None), kwargs.pop("shift_labels", None)
            task = HeadTask(labels if aligned is None else aligned, aligned is None, self._factors.ntl_scale)
            outputs, head = self._run(task, *args, **kwargs)
            result = FusedCausalLMOutput(
                log_probs=head.log_probs,
                entropy=head.entropy,
                is_top1=head.is_top1,
                label_mask=head.label_mask,
                aux_loss=outputs.get("aux_loss"),
            )
        if self._first_outputs is None:
            self._first_outputs, self._first_head = outputs, head
        return result

    def _run(self, task: HeadTask, *args: Any, **kwargs: Any) -> tuple[Any, HeadOutput]:
        if self._fused_head is None:
            outputs = self._model(*args, **kwargs)
            logits = logits_of(outputs, self._objective.vocab)
            labels = align_labels(task.labels, logits.shape[1], task.shift)
            return outputs, self._head_from_logits(logits, labels, metrics=True)
        with self._fused_head.collect(self._unwrapped, task):
            outputs = self._model(*args, **kwargs)
        if torch.is_grad_enabled():
            # The sum of no logits, 0: it ties the loss to the model's output, where wrappers have their hooks.
            loss = self._factors.ce.to(task.loss.device) * task.loss
            self._gradient_of = loss + outputs.logits.sum().to(loss.device)
        return outputs, task.output

    def head_output(self, labels: Tensor) -> HeadOutput:
        """Of the first call; `labels`, aligned, `[B, T]`, are for logits, which TRL asks for without labels."""
        if self._first_head is not None:
            return self._first_head
        logits = logits_of(self._first_outputs, self._objective.vocab)
        return self._head_from_logits(logits, align_labels(labels, logits.shape[1], shift=False))

    def _head_from_logits(self, logits: Tensor, labels: Tensor, metrics: bool = False) -> HeadOutput:
        objective = self._objective
        return head_from_logits(logits, labels, objective.vocab, metrics=metrics, syntax=objective.syntax)

    def add_gradient(self, loss: Tensor) -> Tensor:
        """`loss`, made from values alone where the head is fused, with the gradient that belongs to it."""
        if self._gradient_of is None:
            return loss
        return loss + (self._gradient_of - self._gradient_of.detach())
