"""Rows without an end of text are told of, once and before training; those with one are not."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import BertConfig, BertForMaskedLM, DataCollatorForSeq2Seq, TrainingArguments
from trl import SFTConfig

from ntl_hf import NTLSFTTrainer, NTLTrainer
from tests.build import make_args
from tests.tiny import char_tokenizer, tiny_model


def train(folder: Path, end: str = "", model: Any = None, stream: bool = False, **tokens: Any) -> list[str]:
    """Train on eight sums that end in `end`; what was warned of the end of text."""
    tokenizer = char_tokenizer(**tokens)
    ids = tokenizer([f"{i}+5={i + 5}{end}" for i in range(8)])["input_ids"]
    rows: Any = Dataset.from_dict({"input_ids": ids, "labels": ids})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        NTLTrainer(
            model=model or tiny_model("llama"),
            args=make_args(TrainingArguments, folder, max_steps=2),
            train_dataset=rows.to_iterable_dataset() if stream else rows,
            data_collator=DataCollatorForSeq2Seq(tokenizer),
            processing_class=tokenizer,
        ).train()
    return [str(each.message) for each in caught if "end of text" in str(each.message)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("pad", ["<pad>", "</s>"])
def test_rows_without_an_end_are_told_of_once(pad: str, stream: bool, tmp_path: Path) -> None:
    (told,) = train(tmp_path, stream=stream, pad_token=pad)
    assert "rows is the end of text (</s>), so the model does not learn where to stop" in told
    assert ("DataCollatorForLanguageModeling" in told) is (pad == "</s>")
    assert train(tmp_path / "with", end="</s>", stream=stream, pad_token=pad) == []


def test_any_end_of_the_generation_counts(tmp_path: Path) -> None:
    """Conversations end their turns with another token than texts."""
    model, tokenizer = tiny_model("llama"), char_tokenizer()
    model.generation_config.eos_token_id = [1, tokenizer.convert_tokens_to_ids("#")]
    assert train(tmp_path, end="#", model=model) == []


def test_models_that_do_not_generate_need_none(tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    assert train(tmp_path, model=BertForMaskedLM(BertConfig(vocab_size=64, **sizes))) == []


@pytest.mark.parametrize("columns", ["prompt and completion", "text", "tokens"])
def test_sft_appends_it_to_texts_alone(columns: str, tmp_path: Path) -> None:
    tokenizer = char_tokenizer()
    rows = {
        "prompt and completion": [{"prompt": f"{i}+5=", "completion": f"{i + 5}"} for i in range(8)],
        "text": [{"text": f"{i}+5={i + 5}"} for i in range(8)],
        "tokens": [{"input_ids": tokenizer(f"{i}+5={i + 5}")["input_ids"]} for i in range(8)],
    }
    trainer = NTLSFTTrainer(
        model=tiny_model("llama"),
        args=make_args(SFTConfig, tmp_path, max_steps=1),
        train_dataset=Dataset.from_list(rows[columns]),
        processing_class=tokenizer,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.train()
    assert any("end of text" in str(each.message) for each in caught) is (columns == "tokens")
