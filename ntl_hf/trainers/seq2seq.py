"""`NTLSeq2SeqTrainer`."""

from typing import Any

import torch
from torch import nn
from transformers import Seq2SeqTrainer

from .plain import NTLPlainMixin
from .recorder import ForwardRecorder


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
        recorder = ForwardRecorder(model)
        loss, tokens, labels = super().prediction_step(
            recorder, inputs, prediction_loss_only, ignore_keys, **gen_kwargs
        )
        if loss is not None:
            with torch.no_grad():
                loss = self._loss_of_outputs(recorder.outputs, self._prepare_inputs(inputs), None)
        return loss, tokens, labels
