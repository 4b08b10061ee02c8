"""Rows without an end of text are told of, once and before training; those with one are not."""

import warnings
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import BertConfig, BertForMaskedLM, DataCollatorForSeq2Seq, TrainingArguments
from trl import SFTConfig

from ntl_hf import NTLSFTTrainer, NTLTrainer
from tests.build import make_args
from tests.tiny import char_tokenizer, tiny_model


def train(
    folder: Path, start: str = "", end: str = "", model: Any = None, stream: bool = False, block: int = 0, **names: Any
) -> list[str]:
    """Train on eight sums between `start` and `end`, or in blocks; what was warned of the end of text."""
    tokenizer = char_tokenizer(**names)
    ids = tokenizer([f"{start}{i}+5={i + 5}{end}" for i in range(8)])["input_ids"]
    if block:
        flat = 4 * list(chain.from_iterable(ids))
        ids = [flat[i : i + block] for i in range(0, len(flat) - block, block)]
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


def test_an_end_that_is_not_trained_does_not_count(tmp_path: Path) -> None:
    """OPT begins texts with its end of text: the label of the first token is nowhere predicted."""
    assert len(train(tmp_path, start="</s>", bos_token="</s>")) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_blocks_of_longer_texts_need_none(stream: bool, tmp_path: Path) -> None:
    assert train(tmp_path, block=32, stream=stream) == []
    assert len(train(tmp_path / "short", block=8, stream=stream)) == 1


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
