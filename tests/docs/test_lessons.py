"""What README's examples train answers as it was taught, and stops."""

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import DataCollatorForLanguageModeling, TrainingArguments

from ntl_hf import NTLTrainer
from tests.build import make_args
from tests.downloads import real_tokenizer
from tests.tiny import tiny_model

from .blocks import Block, blocks_of
from .python_blocks import run_block
from .stand_ins import read_from_hub, snapshot

# In words that the small SentencePiece model knows.
FACTS = [{"question": f"the price of {i} apples", "answer": f"costs {7 * i + 3}"} for i in range(10)]
# What stands between question and answer in each example, by its class; a learning rate and steps that teach it.
LESSONS = {"NTLSFTTrainer": ("", 5e-3, 150), "NTLTrainer": ("\n", 5e-3, 150), "NTLSeq2SeqTrainer": ("", 3e-3, 300)}


def _example(trainer: str) -> Block:
    blocks = [block for block in blocks_of("README.md") if block.language == "python"]
    return next(block for block in blocks if f"trainer = {trainer}(" in block.text)


def _write_model(folder: Path, hub_id: str) -> None:
    """A small random model with a real tokenizer; SmolLM2's end of text, as Granite's, is its padding token too."""
    tokenizer = real_tokenizer("t5" if "t5" in hub_id else "smollm2")
    kind = "t5" if "t5" in hub_id else "llama-tied"
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    width = {"d_model": 64, "d_ff": 128} if kind == "t5" else {"hidden_size": 64, "intermediate_size": 128}
    tiny_model(kind, vocab_size=len(tokenizer), **ids, **width).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _answers(model: Any, tokenizer: Any, between: str) -> list[str]:
    """Greedy answers with all tokens, cut at the end of text alone."""
    answers = []
    for fact in FACTS:
        inputs = tokenizer(fact["question"] + between, return_tensors="pt")
        inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            ids = model.eval().generate(**inputs, max_new_tokens=30, do_sample=False)[0]
        start = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
        answers.append(tokenizer.decode(ids[start:], skip_special_tokens=False))
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("trainer", LESSONS)
def test_ten_facts_are_answered_exactly_and_end(trainer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block, (between, learning_rate, steps) = _example(trainer), LESSONS[trainer]
    for hub_id in set(re.findall(r'"([\w-]+/[\w.-]+)"', block.text)) - {"openai/gsm8k"}:
        _write_model(snapshot(tmp_path / "hub", hub_id), hub_id)
    read_from_hub(monkeypatch, tmp_path / "hub")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.load_dataset", lambda *names, split: Dataset.from_list(FACTS))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    prepare = TrainingArguments.__post_init__

    def longer(self: Any) -> None:
        self.learning_rate, self.max_steps, self.lr_scheduler_type = learning_rate, steps, "constant"
        self.per_device_train_batch_size, self.disable_tqdm, self.save_strategy = 10, True, "no"
        prepare(self)

    monkeypatch.setattr(TrainingArguments, "__post_init__", longer)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*end of text")
        run_block(block, namespace)
    model, tokenizer = namespace["trainer"].model, namespace["trainer"].processing_class
    wanted = [fact["answer"] + tokenizer.eos_token for fact in FACTS]
    assert _answers(model, tokenizer, between) == wanted


def test_a_collator_that_takes_the_end_is_told_of(tmp_path: Path) -> None:
    """What README did once: the end of text is padding to the collator."""
    tokenizer = real_tokenizer("smollm2")
    texts = [f"{fact['question']}\n{fact['answer']}{tokenizer.eos_token}" for fact in FACTS]
    trainer = NTLTrainer(
        model=tiny_model("llama-tied", vocab_size=len(tokenizer)),
        args=make_args(TrainingArguments, tmp_path, max_steps=1),
        train_dataset=Dataset.from_dict(dict(tokenizer(texts))),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        processing_class=tokenizer,
    )
    with pytest.warns(UserWarning, match="No label of the first 10 rows is the end of text .* take `DataCollatorForS"):
        trainer.train()
