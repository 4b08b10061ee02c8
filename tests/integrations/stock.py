"""A stock `transformers.Trainer` with the number loss, beside `NTLTrainer` on the same rows."""

from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

from ntl_hf import (
    NTLConfig,
    NTLLossCallback,
    NTLSeq2SeqTrainer,
    NTLTrainer,
    ntl_loss_func,
)
from tests.build import make_trainer, parameters
from tests.tiny import char_tokenizer, tiny_model, twin

CONFIG = NTLConfig(weight=0.7)


def loss_func_options(config: NTLConfig = CONFIG, **options: Any) -> dict[str, Any]:
    """Arguments of a Trainer with `ntl_loss_func`."""
    loss_func = ntl_loss_func(char_tokenizer(), config, **options)
    return {"compute_loss_func": loss_func, "callbacks": [loss_func.callback]}


def callback_options(config: NTLConfig = CONFIG) -> dict[str, Any]:
    """Arguments of a Trainer with `NTLLossCallback`."""
    return {"callbacks": [NTLLossCallback(char_tokenizer(), config)]}


def stock_trainer(model: Any, folder: Any, options: dict[str, Any], **arguments: Any) -> Any:
    """A stock Trainer on the sums of tests/tiny.py, with further arguments of its own in `options`."""
    if model.config.is_encoder_decoder:
        # A stock Trainer takes the labels out, and with them what the decoder's inputs are made from.
        options = {**options, "data_collator": DataCollatorForSeq2Seq(char_tokenizer(), model=model)}
    return make_trainer(Trainer, model, folder, TrainingArguments, trainer_options=options, **arguments)


def ntl_trainer(model: Any, folder: Any, config: NTLConfig = CONFIG, **arguments: Any) -> Any:
    """`NTLTrainer` or `NTLSeq2SeqTrainer` on the same rows."""
    trainer_class = NTLSeq2SeqTrainer if model.config.is_encoder_decoder else NTLTrainer
    return make_trainer(trainer_class, model, folder, trainer_options={"ntl_config": config}, **arguments)


def trained(trainer: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of the first logged step, and the parameters after training."""
    trainer.train()
    return next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry), parameters(trainer.model)


def twins(name: str, **overrides: Any) -> tuple[Any, Any]:
    """Two models with the same weights."""
    model = tiny_model(name, **overrides)
    return model, twin(model)
