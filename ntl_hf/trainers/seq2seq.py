"""`NTLSeq2SeqTrainer`, and what keeps the outputs of the model where the stock trainer makes its loss."""

from typing import Any

import torch
from torch import nn
from transformers import Seq2SeqTrainer

from .plain import NTLPlainMixin


class NTLSeq2SeqTrainer(NTLPlainMixin, Seq2SeqTrainer):
    """`transformers.Seq2SeqTrainer` with CE + weight * NTL; evaluation with generation included.

    Takes the arguments of `Seq2SeqTrainer`, `ntl_config` and `number_vocab`; `processing_class` must be the
    tokenizer. With `NTLSeq2SeqTrainingArguments` the settings are its `ntl_` fields. See `NTLMixin` for errors.
    """

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
        **gen_kwargs: Any,
    ) -> Any:
        if not self.args.predict_with_generate or prediction_loss_only:
            return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys, **gen_kwargs)
        # With generation, the stock method takes the model's own loss; its logits are all that ours needs.
        recorder = _ForwardRecorder(model)
        loss, tokens, labels = super().prediction_step(
            recorder, inputs, prediction_loss_only, ignore_keys, **gen_kwargs
        )
        if loss is not None:
            with torch.no_grad():
                loss = self._loss_of_outputs(recorder.outputs, self._prepare_inputs(inputs), None)
        return loss, tokens, labels


class _ForwardRecorder:
    """Stands in for the model in a stock method that only calls it, and keeps its first output.

    The first, because it is the one that the loss was made from: where TRL makes a second pass, it is for metrics.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.outputs: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs = self._model(*args, **kwargs)
        if self.outputs is None:
            self.outputs = outputs
        return outputs
