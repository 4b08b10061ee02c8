"""`NTLTrainer`."""

from transformers import Trainer

from .plain import NTLPlainMixin


class NTLTrainer(NTLPlainMixin, Trainer):
    """`transformers.Trainer` with CE + weight * NTL, for decoder-only and encoder-decoder models.

    Takes the arguments of `Trainer`, `ntl_config` and `number_vocab`; `processing_class` must be the tokenizer. With
    `NTLTrainingArguments` the settings are its `ntl_` fields. See `NTLMixin` for errors.

    Examples:
        >>> trainer = NTLTrainer(model=model, args=args, train_dataset=data, processing_class=tokenizer)
        >>> trainer.train()
    """
