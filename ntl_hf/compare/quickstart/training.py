"""The training of one cell: a small decoder from random weights, on generated text, scored by its answers."""

from dataclasses import asdict
from typing import Any

import torch
from datasets import DatasetDict
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from ...runs.tiny_models import decoder_config
from ...settings.arguments import NTLSFTConfig
from ...trainers import NTLSFTTrainer
from ..plan import Settings
from ..processes import Tell
from ..training import TellSteps
from .recipe import VARIANTS, Cell, training_settings
from .tasks import TASKS, TEST_SEED, TOKENS_PER_ANSWER, Task, make_rows, score

_CHARACTERS = "0123456789+-*="
_SPECIAL = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "bos_token": "<s>"}
_CURVES = {"ce": "eval_ce_loss", "number_mae": "eval_number_mae"}


def char_tokenizer() -> PreTrainedTokenizerFast:
    """One token a character."""
    vocab = {token: i for i, token in enumerate([*_SPECIAL.values(), *_CHARACTERS])}
    core = Tokenizer(models.WordLevel(vocab, unk_token=_SPECIAL["unk_token"]))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=core, **_SPECIAL)


def small_decoder(tokenizer: PreTrainedTokenizerFast, width: int, layers: int, seed: int) -> LlamaForCausalLM:
    """A Llama of random weights, in float32; equal seeds give equal weights."""
    config = decoder_config(len(tokenizer))
    config.update({"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers})
    # Not that of the width before.
    config.head_dim = width // config.num_attention_heads
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)


def make_data(task: Task, seed: int, settings: Settings) -> DatasetDict:
    """The rows of one seed, "train" and "test", the same for every variant; no test prompt is trained on."""
    test = make_rows(task, settings["test_rows"], TEST_SEED)
    return DatasetDict(train=make_rows(task, settings["train_rows"], seed, exclude=test["prompt"]), test=test)


def make_trainer(cell: Cell, settings: Settings, data: DatasetDict, folder: str) -> NTLSFTTrainer:
    """A trainer whose initial weights and order of batches depend on the seed alone."""
    tokenizer = char_tokenizer()
    return NTLSFTTrainer(
        model=small_decoder(tokenizer, settings["hidden_size"], settings["layers"], cell.seed),
        args=NTLSFTConfig(
            output_dir=folder, ntl_weight=VARIANTS[cell.variant], seed=cell.seed, **training_settings(settings)
        ),
        train_dataset=data["train"],
        eval_dataset=data["test"].select(range(settings["curve_rows"])),
        processing_class=tokenizer,
    )


def run_cell(cell: Cell, settings: Settings, folder: str, tell: Tell) -> dict[str, Any]:
    """Train one cell on one thread and return its scores and learning curves.

    One thread, because the matrices are too small for two, and so that the numbers do not depend on the machine's
    number of cores; the cells themselves run side by side.
    """
    torch.set_num_threads(1)
    task = next(task for task in TASKS if task.name == cell.task)
    data = make_data(task, cell.seed, settings)
    trainer = make_trainer(cell, settings, data, folder)
    trainer.add_callback(TellSteps(tell))
    trainer.train()
    curves = learning_curves(trainer.state.log_history)
    metrics = trainer.evaluate(data["test"])
    answers = greedy_answers(trainer.model, trainer.processing_class, data["test"]["prompt"])
    scores = {
        **score(answers, data["test"]["value"]),
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
