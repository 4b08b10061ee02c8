"""`NTLPlainMixin`: the loss of the trainers of `transformers`."""

from typing import Any

import torch
from peft import PeftConfig
from torch import Tensor

from ..head import can_write_over, head_from_logits
from ..losses.objective import router_loss
from .labels import inputs_without_labels
from .lora import with_adapter
from .loss_side import HeadNeeds
from .mixin import NTLMixin
from .model_kind import logits_of


class NTLPlainMixin(NTLMixin):
    """Computes CE + weight * NTL from hidden states, or from full logits with one gradient of their size.

    The labels stay outside of the forward pass: the model's own loss would cost another such buffer, and that of T5
    is a mean over the micro-batch, whose gradient grows with the accumulation steps.

    Args:
        model: the model to train.
        peft_config: an adapter to train instead of the whole model, as `SFTTrainer` takes it.
    """

    def __init__(self, model: Any = None, *args: Any, peft_config: PeftConfig | None = None, **kwargs: Any) -> None:
        # The stock evaluation asks for the outputs even where it drops them.
        self._drops_outputs = False
        if peft_config is not None:
            model = with_adapter(model, peft_config, args[0] if args else kwargs.get("args"))
        super().__init__(model, *args, **kwargs)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        self._loss_side.check_first(self, model, inputs)
        if self.head_choice.is_fused and (self._drops_outputs or not return_outputs):
            loss, outputs = self._fused_loss(model, inputs, num_items_in_batch)
        else:
            outputs = model(**self._without_labels(inputs))
            loss = self._loss_of_outputs(outputs, inputs, num_items_in_batch, inplace=not return_outputs)
        return (loss, outputs) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, *args: Any, **kwargs: Any
    ) -> Any:
        self._drops_outputs = prediction_loss_only
        try:
            return super().prediction_step(model, inputs, prediction_loss_only, *args, **kwargs)
        finally:
            self._drops_outputs = False

    def _without_labels(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return inputs_without_labels(self.accelerator.unwrap_model(self.model), inputs)

    def _fused_loss(self, model: Any, inputs: dict[str, Any], num_items: Tensor | int | None) -> tuple[Tensor, Any]:
        targets, factors = self._loss_side.targets_and_factors(self, inputs, num_items)
        rest = self._without_labels(inputs)
        loss, outputs, _ = self._loss_side.fused_loss(lambda: model(**rest), self.model, targets, factors)
        return loss + self._auxiliary_loss(outputs, loss), outputs

    def _loss_of_outputs(
        self, outputs: Any, inputs: dict[str, Any], num_items: Tensor | int | None, inplace: bool = False
    ) -> Tensor:
        """The loss from full logits; `inplace` lets their gradient be written over them, if nobody else has them."""
        logits = logits_of(outputs, self.objective.vocab)
        targets, factors = self._loss_side.targets_and_factors(self, inputs, num_items)
        inplace = inplace and self.compute_loss_func is None and self._can_write_over(logits)
        head = head_from_logits(logits, targets, mean_log_probs=self.label_smoother is not None, inplace=inplace)
        if self.compute_loss_func is not None:
            loss = self.compute_loss_func(outputs, inputs["labels"], num_items_in_batch=num_items)
            loss = loss * (1 if num_items is None else self._process_scale)
        else:
            total = self.objective.cross_entropy_sum(head, self.args.label_smoothing_factor)
            loss = factors.ce.to(total.device) * total
            loss = loss + self._auxiliary_loss(outputs, loss)
        return loss + self._loss_side.number_term(head, factors)

    def _can_write_over(self, logits: Tensor) -> bool:
        hooks = getattr(self.accelerator.unwrap_model(self.model), "_forward_hooks", None)
        return can_write_over(logits) and not hooks

    def _auxiliary_loss(self, outputs: Any, loss: Tensor) -> Tensor | float:
        # The stock label smoother drops it as well.
        if self.label_smoother is not None or outputs.get("aux_loss") is None:
            return 0.0
        # A mean over the micro-batch, so it is averaged over the accumulation steps.
        steps = self.current_gradient_accumulation_steps if self.model.training else 1
        return torch.as_tensor(router_loss(self.model.config, outputs)).to(loss.device) / steps

    def _head_needs(self) -> HeadNeeds:
        needed = None
        if self.compute_loss_func is not None:
            needed = "`compute_loss_func` is given, which reads the logits"
        elif self.model.config.is_encoder_decoder and not hasattr(self.model, "prepare_decoder_input_ids_from_labels"):
            needed = f"only {type(self.model).__name__} itself can make its decoder's inputs from the labels"
        # Where the user's or the Trainer's loss replaces the model's own, the stock trainer drops its terms as well.
        replaced = self.compute_loss_func is not None or self.label_smoother is not None
        plan = {"label_smoothing": self.args.label_smoothing_factor}
        return HeadNeeds(needed, plan, is_all=not replaced and not self.args.torch_compile)
