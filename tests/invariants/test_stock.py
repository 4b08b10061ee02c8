"""With `ntl_weight=0` the trainers follow the stock ones step for step."""

from typing import Any

import pytest
import torch
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, Trainer, TrainingArguments
from trl import SFTConfig, SFTTrainer

from ntl_hf import (
    NTLConfig,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from tests.build import make_trainer, parameters, relative_difference
from tests.tiers import by_tier
from tests.tiny import tiny_model, twin

STOCK: dict[Any, Any] = {
    NTLTrainer: (Trainer, TrainingArguments),
    NTLSeq2SeqTrainer: (Seq2SeqTrainer, Seq2SeqTrainingArguments),
    NTLSFTTrainer: (SFTTrainer, SFTConfig),
}
ACCUMULATED = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 3}
CASES = {
    "plain llama, accumulated": (NTLTrainer, "llama", ACCUMULATED),
    "plain gemma": (NTLTrainer, "gemma", {}),
    "plain gpt2, whose stock count includes the first token": (NTLTrainer, "gpt2", ACCUMULATED),
    "plain, label smoothing": (NTLTrainer, "llama", {"label_smoothing_factor": 0.1, **ACCUMULATED}),
    "plain mixture of experts": (NTLTrainer, "mixtral", {}),
    "plain t5": (NTLTrainer, "t5", {}),
    "seq2seq t5": (NTLSeq2SeqTrainer, "t5", {}),
    "seq2seq t5, label smoothing": (NTLSeq2SeqTrainer, "t5", {"label_smoothing_factor": 0.1}),
    "seq2seq bart": (NTLSeq2SeqTrainer, "bart", {}),
    "sft llama, accumulated": (NTLSFTTrainer, "llama", ACCUMULATED),
    "sft gpt2": (NTLSFTTrainer, "gpt2", ACCUMULATED),
    "sft label smoothing": (NTLSFTTrainer, "llama", {"label_smoothing_factor": 0.1, **ACCUMULATED}),
    "sft dft": (NTLSFTTrainer, "llama", {"loss_type": "dft"}),
    "sft mixture of experts, accumulated": (NTLSFTTrainer, "mixtral", ACCUMULATED),
    "sft packed": (NTLSFTTrainer, "llama", {"packing": True, "max_length": 32, **ACCUMULATED}),
    "sft gradient checkpointing": (NTLSFTTrainer, "llama", {"activation_checkpointing": True}),
    "sft Adam with clipping and a schedule": (
        NTLSFTTrainer,
        "llama",
        {"optim": "adamw_torch", "learning_rate": 1e-3, "max_grad_norm": 0.5, "lr_scheduler_type": "linear"},
    ),
}

# What is of the architecture, not of the trainer, or is in another case of the other trainers.
SLOW = (
    "plain t5",
    "seq2seq t5, label smoothing",
    "seq2seq bart",
    "sft gpt2",
    "sft label smoothing",
    "sft mixture of experts, accumulated",
    "sft gradient checkpointing",
    "sft Adam with clipping and a schedule",
)


def train_both(trainer_class: Any, architecture: str, folder: Any, **arguments: Any) -> tuple[Any, Any, Any]:
    model = tiny_model(architecture)
    if architecture == "t5":
        # In float32 its course is chaotic: two ways of rounding are 1e-2 apart after three steps.
        model = model.double()
    stock_class, stock_args = STOCK[trainer_class]
    arguments = {"rows": 24, "max_steps": 5, **arguments}
    stock = make_trainer(stock_class, twin(model), folder / "stock", args_class=stock_args, **arguments)
    options = {**arguments.pop("trainer_options", {}), "ntl_config": NTLConfig(weight=0)}
    ours = make_trainer(trainer_class, twin(model), folder / "ours", trainer_options=options, **arguments)
    stock.train()
    ours.train()
    return stock, ours, parameters(model)


def check_same_course(stock: Any, ours: Any, started: dict[str, torch.Tensor]) -> None:
    assert relative_difference(parameters(ours.model), parameters(stock.model)) < 1e-6
    wanted = [log["loss"] for log in stock.state.log_history if "loss" in log]
    found = [log["loss"] for log in ours.state.log_history if "loss" in log]
    assert found == pytest.approx(wanted, rel=1e-5)
    assert len(found) == 5
    assert relative_difference(parameters(stock.model), started) > 1e-4, "nothing was learnt"


@pytest.mark.parametrize("case", by_tier(CASES, SLOW))
def test_weight_zero_is_the_stock_trainer(case, tmp_path):
    trainer_class, architecture, arguments = CASES[case]
    stock, ours, started = train_both(trainer_class, architecture, tmp_path, **arguments)
    check_same_course(stock, ours, started)
    assert ours.evaluate()["eval_loss"] == pytest.approx(stock.evaluate()["eval_loss"], rel=1e-5)


def squared_cross_entropy(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    """A loss of the user's own."""
    logits, labels = outputs.logits[:, :-1], labels[:, 1:]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none").square()
    return losses.sum() / (num_items_in_batch if num_items_in_batch is not None else (labels != -100).sum())


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_a_loss_of_ones_own_is_kept(trainer_class, tmp_path):
    options = {"compute_loss_func": squared_cross_entropy}
    stock, ours, started = train_both(trainer_class, "llama", tmp_path, trainer_options=options, **ACCUMULATED)
    check_same_course(stock, ours, started)


def test_the_stock_t5_depends_on_accumulation_and_ours_does_not(tmp_path):
    """The reason for computing the encoder-decoder's CE ourselves: one SGD step, the same eight rows."""
    moved = {}
    for trainer_class in (Seq2SeqTrainer, NTLSeq2SeqTrainer):
        for size in (8, 2):
            model = tiny_model("t5")
            before = parameters(model)
            trainer = make_trainer(
                trainer_class,
                model,
                tmp_path / f"{trainer_class.__name__}-{size}",
                args_class=Seq2SeqTrainingArguments,
                per_device_train_batch_size=size,
                gradient_accumulation_steps=8 // size,
                trainer_options={"ntl_config": NTLConfig()} if trainer_class is NTLSeq2SeqTrainer else None,
            )
            trainer.train()
            moved[trainer_class, size] = {n: p - before[n] for n, p in parameters(model).items()}
    norm = {key: sum(p.square().sum() for p in step.values()).sqrt() for key, step in moved.items()}
    assert norm[Seq2SeqTrainer, 2] / norm[Seq2SeqTrainer, 8] > 3
    assert relative_difference(moved[NTLSeq2SeqTrainer, 2], moved[NTLSeq2SeqTrainer, 8]) < 1e-5
