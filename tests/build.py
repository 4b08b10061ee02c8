"""Trainers on tiny models, their gradients and parameters."""

from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq, TrainerCallback

from ntl_hf import (
    NTLSeq2SeqTrainer,
    NTLSeq2SeqTrainingArguments,
    NTLSFTConfig,
    NTLSFTTrainer,
    NTLTrainer,
    NTLTrainingArguments,
)

from .tiny import char_tokenizer, prompt_completion, tokenized, tokenized_pairs

ARGUMENTS = {
    NTLTrainer: NTLTrainingArguments,
    NTLSeq2SeqTrainer: NTLSeq2SeqTrainingArguments,
    NTLSFTTrainer: NTLSFTConfig,
}


def make_args(arguments_class: Any, folder: Any, **overrides: Any) -> Any:
    """Plain SGD without clipping: the update is the gradient, and a constant factor would show."""
    settings = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "optim": "sgd",
        "learning_rate": 0.05,
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0.0,
        "max_steps": 1,
        "per_device_train_batch_size": 8,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": 7,
    }
    return arguments_class(**{**settings, **overrides})


def make_trainer(
    trainer_class: Any,
    model: Any,
    folder: Any,
    args_class: Any = None,
    args: Any = None,
    rows: int = 8,
    text_rows: int = 0,
    tokenizer: Any = None,
    trainer_options: dict[str, Any] | None = None,
    **arguments: Any,
) -> Any:
    """A trainer of any of the stock or NTL classes on the sums of tests/tiny.py."""
    tokenizer = tokenizer or char_tokenizer()
    if args is None:
        args = make_args(args_class or ARGUMENTS[trainer_class], folder, **arguments)
    options: dict[str, Any] = {"processing_class": tokenizer}
    if "SFT" in trainer_class.__name__:
        options |= {
            "train_dataset": prompt_completion(rows, text_rows=text_rows),
            "eval_dataset": prompt_completion(6, seed=1),
        }
    else:
        make = tokenized_pairs if model is not None and model.config.is_encoder_decoder else tokenized
        options |= {
            "train_dataset": make(tokenizer, rows, text_rows=text_rows),
            "eval_dataset": make(tokenizer, 6, seed=1),
            # The stock label smoothing relies on the collator for the decoder's inputs; elsewhere the model has them.
            "data_collator": DataCollatorForSeq2Seq(tokenizer, model=model if args.label_smoothing_factor else None),
        }
    return trainer_class(model=model, args=args, **{**options, **(trainer_options or {})})


class KeepGradients(TrainerCallback):
    """Keeps the gradients of every optimizer step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        self.steps.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})


class KeepBatches:
    """Stands before a data collator and keeps what it returns."""

    def __init__(self, collator: Any) -> None:
        self.collator = collator
        self.batches: list[dict[str, torch.Tensor]] = []

    def __call__(self, examples: Any) -> Any:
        batch = self.collator(examples)
        self.batches.append(dict(batch))
        return batch


def first_step(trainer: Any) -> tuple[dict[str, torch.Tensor], list[dict[str, torch.Tensor]]]:
    """Train, and return the gradients of the first optimizer step and the micro-batches that it was made of."""
    keep = KeepGradients()
    trainer.add_callback(keep)
    trainer.check_training_data()  # before the collator is watched: it may collate a sample
    trainer.data_collator = KeepBatches(trainer.data_collator)
    trainer.check_training_data = lambda: None
    trainer.train()
    return keep.steps[0], trainer.data_collator.batches[: trainer.args.gradient_accumulation_steps]


def parameters(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def relative_difference(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    """Norm of the difference over the norm, of all tensors together; both must have the same names."""
    assert found.keys() == wanted.keys() and found
    difference = sum((found[n].double() - wanted[n].double()).square().sum() for n in wanted).sqrt()
    return float(difference / sum(wanted[n].double().square().sum() for n in wanted).sqrt())
