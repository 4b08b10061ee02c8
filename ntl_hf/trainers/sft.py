"""`NTLSFTTrainer`."""

from typing import Any, ClassVar

from torch import Tensor
from trl import SFTConfig, SFTTrainer

from ..arguments import NTLArguments
from ..head import HeadOutput, head_from_logits
from ..head.fused import FusedNumberOutput, add_number_head, head_from_fused
from .checks import check_columns
from .mixin import NTLMixin
from .model_checks import check_fused_number_logits
from .recorder import ForwardRecorder


class NTLSFTTrainer(NTLMixin, SFTTrainer):
    """`trl.SFTTrainer` with CE + weight * NTL, on TRL's fused head: no logits, no second forward pass.

    Takes the arguments of `SFTTrainer`, `ntl_config` and `number_vocab`. With `NTLSFTConfig` the settings are its
    `ntl_` fields. Label smoothing and `compute_loss_func`, both deprecated in TRL, work from the full logits that TRL
    builds for them. See `NTLMixin` for errors.

    Example:
        >>> trainer = NTLSFTTrainer(model="ibm-granite/granite-3.2-2b-instruct", args=args, train_dataset=data)
        >>> trainer.train()
    """

    _tag_names: ClassVar[list[str]] = [*SFTTrainer._tag_names, "ntl"]

    def __init__(self, model: Any, args: Any = None, *rest: Any, **kwargs: Any) -> None:
        if isinstance(args, NTLArguments) and not isinstance(args, SFTConfig):
            raise TypeError(f"`NTLSFTTrainer` takes `NTLSFTConfig` or `trl.SFTConfig`, not `{type(args).__name__}`.")
        super().__init__(model, args, *rest, **kwargs)
        base = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        add_number_head(base, self.objective.vocab)

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, packing: bool, *rest: Any) -> Any:
        if not rest or rest[0] is None:  # without a formatting function
            check_columns(dataset, args.dataset_text_field)
        return super()._prepare_dataset(dataset, processing_class, args, packing, *rest)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        self._check_model_once(model, inputs)
        recorder = ForwardRecorder(model)
        result = super().compute_loss(recorder, inputs, return_outputs, num_items_in_batch)
        loss, outputs = result if return_outputs else (result, None)
        # The step's count is of training; evaluation takes the means of its batches, as TRL does.
        num_numbers = None if num_items_in_batch is None else self._numbers_in_step
        loss = loss + self._number_term(self._head(recorder.outputs, inputs), num_numbers)
        return (loss, outputs) if return_outputs else loss

    def _check_model(self, model: Any, inputs: dict[str, Any]) -> None:
        check_fused_number_logits(model, inputs, self.objective.vocab)

    def _head(self, outputs: Any, inputs: dict[str, Any]) -> HeadOutput:
        if isinstance(outputs, FusedNumberOutput):
            return head_from_fused(outputs)
        return head_from_logits(outputs["logits"], self._aligned_labels(inputs), self.objective.vocab)
