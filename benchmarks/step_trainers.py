"""The contenders of `benchmarks/step.py`: trainers as people would build them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from peft import get_peft_model
from torch import Tensor
from torch.nn import functional as F
from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments
from trl import SFTConfig, SFTTrainer

from ntl_hf import (
    NTLSFTConfig,
    NTLSFTTrainer,
    NTLTrainer,
    NTLTrainingArguments,
)

from .contenders import CE, CE_NTL, NTL_WEIGHT
from .step_models import Task
from .synthetic import IGNORE_INDEX


@dataclass(frozen=True)
class TrainerKind:
    """One trainer.

    Attributes:
        objective: which loss.
        trainer: its class.
        arguments: the class of its arguments.
        with_ntloss: it gets CE + NTL of the `ntloss` package as `compute_loss_func`.
    """

    objective: str
    trainer: type[Trainer]
    arguments: type[TrainingArguments]
    with_ntloss: bool = False

    @property
    def is_sft(self) -> bool:
        return issubclass(self.trainer, SFTTrainer)

    def why_not(self) -> str | None:
        """Why it cannot be run here, or None."""
        return "ntloss is not installed" if self.with_ntloss and find_spec("ntloss") is None else None


TRAINERS = {
    "SFTTrainer": TrainerKind(CE, SFTTrainer, SFTConfig),
    "NTLSFTTrainer": TrainerKind(CE_NTL, NTLSFTTrainer, NTLSFTConfig),
    "SFTTrainer+ntloss": TrainerKind(CE_NTL, SFTTrainer, SFTConfig, with_ntloss=True),
    "Trainer": TrainerKind(CE, Trainer, TrainingArguments),
    "NTLTrainer": TrainerKind(CE_NTL, NTLTrainer, NTLTrainingArguments),
    "Trainer+ntloss": TrainerKind(CE_NTL, Trainer, TrainingArguments, with_ntloss=True),
}


def make_trainer(kind: TrainerKind, task: Task, case: Any, folder: str, steps: int, device: torch.device) -> Trainer:
    """The trainer of a task, for `steps` steps; `folder` is for what it writes."""
    model, options = task.model, {"processing_class": task.tokenizer, "train_dataset": task.dataset}
    if kind.with_ntloss:
        options["compute_loss_func"] = _ntloss_function(task)
    if kind.is_sft:
        options["peft_config"] = task.peft_config
    else:
        options["data_collator"] = DataCollatorForSeq2Seq(task.tokenizer)
        model = model if task.peft_config is None else get_peft_model(model, task.peft_config)
    return kind.trainer(model=model, args=_arguments(kind, task, case, folder, steps, device), **options)


def _arguments(
    kind: TrainerKind, task: Task, case: Any, folder: str, steps: int, device: torch.device
) -> TrainingArguments:
    settings: dict[str, Any] = {
        "output_dir": folder,
        "use_cpu": device.type == "cpu",
        "bf16": case.dtype == "bfloat16",
        # A step must not change what the next one costs.
        "optim": "sgd",
        "learning_rate": 1e-9,
        "per_device_train_batch_size": case.rows,
        "activation_checkpointing": case.gradient_checkpointing,
        "max_steps": steps,
        "train_sampling_strategy": "sequential",
        "logging_first_step": True,
        "logging_steps": 10**6,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    if kind.is_sft:
        settings |= {"max_length": case.length, "shuffle_dataset": False}
        settings["dataset_kwargs"] = {"skip_prepare_dataset": "input_ids" in task.dataset.column_names}
    return kind.arguments(**settings)


def _ntloss_function(task: Task) -> Callable[..., Tensor]:
    import ntloss

    vocab_size = task.model.config.vocab_size
    return partial(_loss_of_outputs, ntloss.NTLoss(task.tokenizer, vocab_size, reweigh=False))


def _loss_of_outputs(number_loss: Any, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int) -> Tensor:
    # The labels are moved, not the logits, as in `transformers`: a slice of those would be copied.
    labels = F.pad(labels, (0, 1), value=IGNORE_INDEX)[:, 1:]
    logits = outputs.logits.float().flatten(0, 1)
    total = F.cross_entropy(logits, labels.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / num_items_in_batch + NTL_WEIGHT * number_loss(outputs.logits, labels)
