"""`NTLLogitsMixin`: the loss of the trainers that work on the model's own logits."""

from typing import Any

from peft import PeftConfig
from torch import Tensor
from torch.nn import functional as F

from ..head import IGNORE_INDEX, HeadOutput, head_from_logits
from ..lora import with_adapter
from .mixin import NTLMixin
from .model_checks import warn_about_own_loss


class NTLLogitsMixin(NTLMixin):
    """Computes CE + weight * NTL from full logits, with one gradient of their size.

    The labels stay outside of the forward pass: the model's own loss would cost a second such buffer, and that of T5
    is a mean over the micro-batch, whose gradient grows with the accumulation steps.

    Args:
        model: the model to train.
        peft_config: an adapter to train instead of the whole model, as `SFTTrainer` takes it.
    """

    def __init__(self, model: Any = None, *args: Any, peft_config: PeftConfig | None = None, **kwargs: Any) -> None:
        super().__init__(model if peft_config is None else with_adapter(model, peft_config), *args, **kwargs)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        self._check_model_once(model, inputs)
        outputs = model(**self._inputs_without_labels(inputs))
        loss = self._loss_of_outputs(outputs, inputs, num_items_in_batch)
        return (loss, outputs) if return_outputs else loss

    def _check_model(self, model: Any, inputs: dict[str, Any]) -> None:
        # Where the user's or the Trainer's loss replaces the model's own, the stock trainer drops its terms as well.
        if self.compute_loss_func is None and self.label_smoother is None and not self.args.torch_compile:
            warn_about_own_loss(
                model, inputs, self.objective.vocab, not self._labels_are_aligned, self._router_aux_loss_coef
            )

    def _inputs_without_labels(self, inputs: dict[str, Any]) -> dict[str, Any]:
        # `skip_logits` is the Trainer's way to ask Liger's forward for the loss alone.
        rest = {name: value for name, value in inputs.items() if name not in ("labels", "shift_labels", "skip_logits")}
        if not self.model.config.is_encoder_decoder or {"decoder_input_ids", "decoder_inputs_embeds"} & rest.keys():
            return rest
        prepare = getattr(self.accelerator.unwrap_model(self.model), "prepare_decoder_input_ids_from_labels", None)
        if prepare is None:
            # Only the model knows how its decoder starts; its own loss goes unused.
            return inputs
        return {**rest, "decoder_input_ids": prepare(labels=inputs["labels"])}

    def _loss_of_outputs(self, outputs: Any, inputs: dict[str, Any], num_items: Tensor | int | None) -> Tensor:
        logits = outputs["logits"]
        labels = self._aligned_labels(inputs).to(logits.device)
        # Prompt-learning adapters put virtual tokens before the text.
        labels = F.pad(labels, (logits.shape[1] - labels.shape[1], 0), value=IGNORE_INDEX)
        head = head_from_logits(logits, labels, self.objective.vocab, mean_log_probs=self.label_smoother is not None)
        num_numbers = self._numbers_in_step
        if not self.model.training:
            num_numbers = None if num_items is None else self._count_numbers([inputs], self.args.device)
        return self._language_model_loss(outputs, inputs, head, num_items) + self._number_term(head, num_numbers)

    def _language_model_loss(
        self, outputs: Any, inputs: dict[str, Any], head: HeadOutput, num_items: Tensor | int | None
    ) -> Tensor:
        """What the stock trainer would return: CE, the label-smoothed CE, or the loss of `compute_loss_func`."""
        scale = 1 if num_items is None else self._process_scale
        if self.compute_loss_func is not None:
            return self.compute_loss_func(outputs, inputs["labels"], num_items_in_batch=num_items) * scale
        total = self.objective.cross_entropy_sum(head, self.args.label_smoothing_factor)
        loss = scale * self.objective.mean(total, head.label_mask.sum() if num_items is None else num_items)
        if self.label_smoother is None and outputs.get("aux_loss") is not None:
            # A mean over the micro-batch, so it is averaged over the accumulation steps.
            steps = self.current_gradient_accumulation_steps if self.model.training else 1
            loss = loss + self._router_aux_loss_coef * outputs["aux_loss"].to(loss.device) / steps
        return loss

    @property
    def _router_aux_loss_coef(self) -> float:
        config = self.model.config.get_text_config()
        return getattr(config, "router_aux_loss_coef", getattr(config, "aux_loss_coef", 0.0))
