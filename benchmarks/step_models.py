"""Models and data of `benchmarks/step.py`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, GraniteConfig, LlamaConfig

from ntl_hf import NumberVocab
from ntl_hf.data import load_gsm8k

from .synthetic import make_labels, make_tokenizer

# Share of the labels that is a digit: about that of worked answers to word problems.
_NUMBERS = 0.15
_TINY = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1}
_SMALL = {"hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3}
_LARGE = {"hidden_size": 2048, "intermediate_size": 8192, "num_attention_heads": 32, "num_key_value_heads": 8}
_GRANITE = {"embedding_multiplier": 12.0, "attention_multiplier": 1 / 64, "residual_multiplier": 0.22}

# Sizes of models that are made from a config, with random weights.
CONFIGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "tiny": (LlamaConfig, {**_TINY, "num_hidden_layers": 2, "vocab_size": 500}),
    "two-layers": (LlamaConfig, {**_SMALL, "num_hidden_layers": 2, "vocab_size": 128_256}),
    "llama-1b": (LlamaConfig, {**_LARGE, "num_hidden_layers": 16, "vocab_size": 128_256}),
    "granite-2b": (
        GraniteConfig,
        {**_LARGE, **_GRANITE, "num_hidden_layers": 40, "vocab_size": 49_155, "logits_scaling": 8.0},
    ),
}
# Read from the folder of `--model`, and trained on the questions and answers of `--data`.
FROM_FOLDER = "smollm2-135m"


@dataclass(frozen=True)
class Task:
    """What a trainer is given.

    Attributes:
        model: to train.
        tokenizer: of the model.
        dataset: `input_ids` and `labels`, or `prompt` and `completion`.
        peft_config: of the adapter, or None for full fine-tuning.
    """

    model: Any
    tokenizer: Any
    dataset: Dataset
    peft_config: LoraConfig | None


def why_not(case: Any, options: dict[str, Any]) -> str | None:
    """What is missing for a case, or None."""
    if case.model != FROM_FOLDER:
        return None
    wanted = {"--model": Path(options["model"], "config.json"), "--data": Path(options["data"], "train.jsonl")}
    return next((f"no {path}; see {option}" for option, path in wanted.items() if not path.is_file()), None)


def make_task(case: Any, steps: int, device: torch.device, options: dict[str, Any]) -> Task:
    """Model and data of a case, enough for `steps` steps; the same in every process."""
    torch.manual_seed(0)
    if case.model == FROM_FOLDER:
        model, tokenizer, dataset = _from_folder(case, case.rows * steps, options)
    else:
        model, tokenizer, dataset = _from_config(case, case.rows * steps, device)
    return Task(model.to(device), tokenizer, dataset, _lora() if case.lora else None)


def _lora() -> LoraConfig:
    return LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")


def _from_folder(case: Any, rows: int, options: dict[str, Any]) -> tuple[Any, Any, Dataset]:
    tokenizer = AutoTokenizer.from_pretrained(options["model"])
    model = AutoModelForCausalLM.from_pretrained(options["model"], dtype=getattr(torch, case.dtype))
    return model, tokenizer, load_gsm8k(options["data"]).select(range(rows))


def _from_config(case: Any, rows: int, device: torch.device) -> tuple[Any, Any, Dataset]:
    config_class, settings = CONFIGS[case.model]
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 3}
    config = config_class(**settings, **ids, tie_word_embeddings=True, max_position_embeddings=case.length)
    with device:  # billions of random numbers are slow to make on a CPU
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, case.dtype))
    tokenizer = make_tokenizer(config.vocab_size)
    return model, tokenizer, _random_rows(case, rows, config.vocab_size, NumberVocab.from_tokenizer(tokenizer))


def _random_rows(case: Any, rows: int, vocab_size: int, vocab: NumberVocab) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    examples = []
    for _ in range(rows):
        ids = make_labels(case.length, vocab, vocab_size, 1.0, _NUMBERS, generator)
        labels = ids.clone()
        labels[: round((1 - case.labelled) * case.length)] = -100
        examples.append({"input_ids": ids.tolist(), "labels": labels.tolist()})
    return Dataset.from_list(examples)
