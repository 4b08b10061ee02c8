"""Train and score one cell: a task, a variant and a seed."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from ...settings.arguments import NTLSFTConfig
from ...trainers import NTLSFTTrainer
from .model import char_tokenizer, small_decoder
from .quiet import quiet
from .scores import score
from .settings import VARIANTS, Cell, Settings
from .tasks import TASKS, TOKENS_PER_ANSWER, Task, make_rows

TEST_SEED = -1  # one test set for all seeds, so that they are scored against the same best possible
_CURVES = {"ce": "eval_ce_loss", "number_mae": "eval_number_mae"}


@dataclass(frozen=True)
class Data:
    train: Any
    test: Any


def make_data(task: Task, seed: int, settings: Settings) -> Data:
    """The rows of one seed, the same for every variant; no test prompt is trained on."""
    test = make_rows(task, settings.test_rows, TEST_SEED)
    return Data(make_rows(task, settings.train_rows, seed, exclude=test["prompt"]), test)


def make_trainer(cell: Cell, settings: Settings, data: Data, folder: str) -> NTLSFTTrainer:
    """A trainer whose initial weights and order of batches depend on the seed alone."""
    tokenizer = char_tokenizer()
    args = NTLSFTConfig(
        output_dir=folder,
        ntl_weight=VARIANTS[cell.variant],
        seed=cell.seed,
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=256,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        weight_decay=0.01,
        adam_beta2=0.98,
        max_length=None,
        activation_checkpointing=False,
        bf16=False,
        use_cpu=True,
        eval_strategy="steps",
        eval_steps=settings.eval_steps,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = NTLSFTTrainer(
        model=small_decoder(tokenizer, settings.hidden_size, settings.layers, cell.seed),
        args=args,
        train_dataset=data.train,
        eval_dataset=data.test.select(range(settings.curve_rows)),
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def run_cell(cell: Cell, settings: Settings, on_step: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Train one cell on one thread and return its scores and learning curves.

    One thread, because the matrices are too small for two, and so that the numbers do not depend on the machine's
    number of cores; the cells themselves run side by side.
    """
    task = next(task for task in TASKS if task.name == cell.task)
    with quiet(), one_thread(), tempfile.TemporaryDirectory() as folder:
        data = make_data(task, cell.seed, settings)
        trainer = make_trainer(cell, settings, data, folder)
        trainer.add_callback(_StepCallback(on_step))
        trainer.train()
        curves = learning_curves(trainer.state.log_history)
        metrics = trainer.evaluate(data.test)
        answers = greedy_answers(trainer.model, trainer.processing_class, data.test["prompt"])
    scores = {
        **score(answers, data.test["value"]),
        "ce": metrics["eval_ce_loss"],
        "number_mass": metrics["eval_number_mass"],
    }
    return {**asdict(cell), "scores": scores, "curves": curves}


def learning_curves(log_history: list[dict[str, float]]) -> dict[str, list[float]]:
    """Steps and the means over the curve rows at each: cross entropy a token, absolute error a digit."""
    points = [entry for entry in log_history if _CURVES["ce"] in entry]
    return {
        "step": [entry["step"] for entry in points],
        **{name: [entry[key] for entry in points] for name, key in _CURVES.items()},
    }


@torch.no_grad()
def greedy_answers(model: Any, tokenizer: Any, prompts: list[str], batch_size: int = 250) -> list[str]:
    """The most likely continuation of each prompt, up to the end token; all prompts have one length."""
    model.eval()
    answers = []
    for start in range(0, len(prompts), batch_size):
        batch = tokenizer(list(prompts[start : start + batch_size]), return_tensors="pt")
        inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
        output = model.generate(**inputs, max_new_tokens=TOKENS_PER_ANSWER, do_sample=False)
        texts = tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :])
        answers += [text.split(tokenizer.eos_token)[0] for text in texts]
    return answers


@contextmanager
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _StepCallback(TrainerCallback):
    def __init__(self, on_step: Callable[[], None]) -> None:
        self._on_step = on_step

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self._on_step()
