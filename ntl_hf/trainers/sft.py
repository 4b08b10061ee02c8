"""`NTLSFTTrainer`."""

from typing import Any

from datasets import Dataset, IterableDataset
from torch import Tensor, nn
from trl import SFTConfig, SFTTrainer

from ..data.sets import check_has_rows, column_names
from ..data.text_columns import as_texts
from ..settings.arguments import NTLArguments
from .checks import check_columns
from .mixin import NTLMixin
from .model_checks import text_of
from .model_kind import check_language_model
from .sft_forward import SFTForward


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
        return super()._prepare_dataset(dataset, processing_class, args, packing, *rest)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        self._settle_head(model, inputs)
        factors = self._loss_factors(inputs, num_items_in_batch)
        fused_head = self._fused_head if self.head_choice.is_fused else None
        forward = SFTForward(model, self.model, fused_head, self.objective, factors)
        # TRL's own loss and metrics, with our head in the place of its own.
        result = super().compute_loss(forward, inputs, return_outputs, num_items_in_batch)
        loss, outputs = result if return_outputs else (result, None)
        number_term = self._number_term(forward.head_output(self._aligned_labels(inputs)), factors)
        loss = forward.add_gradient(loss + number_term)
        return (loss, outputs) if return_outputs else loss

    def _text_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        ids = text_of(inputs)
        return {"input_ids": ids, "labels": ids, "use_cache": False}

    def _needs_logits(self) -> str | None:
        if self.compute_loss_func is not None:
            return "`compute_loss_func` is given, which reads the logits"
        if self.args.label_smoothing_factor > 0 and self.args.loss_type == "nll":
            return "TRL smooths labels on the logits"
        return None

    def _plan_options(self) -> dict[str, Any]:
        return {"dft": self.args.loss_type == "dft", "metrics": True}


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
