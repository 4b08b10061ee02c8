"""What Python does in one call of `compute_loss`: the files of the package that are entered, and the calls in them."""

import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM

import ntl_hf
from ntl_hf import NTLSFTConfig, NTLSFTTrainer, NumberVocab

from .step_models import CONFIGS
from .synthetic import make_labels, make_tokenizer

_PACKAGE = str(Path(ntl_hf.__file__).parent) + "/"
_ROWS, _LENGTH = 2, 32


def count_calls(trainer: Any) -> Counter[str]:
    """The calls of Python functions of the package in the loss of a second step, by file.

    The first step fills what is kept from one to the next, such as tables on the device, and checks the head.

    Args:
        trainer: any trainer of the package, before `train`.
    """
    device = trainer.args.device
    loader, calls = iter(trainer.get_train_dataloader()), Counter[str]()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_PACKAGE):
            calls[frame.f_code.co_filename.removeprefix(_PACKAGE)] += 1

    trainer.model.train()
    for is_counted in (False, True):
        (batch,), num_items = trainer.get_batch_samples(loader, 1, device)
        inputs = trainer._prepare_inputs(batch)
        sys.setprofile(note if is_counted else None)
        try:
            loss = trainer.compute_loss(trainer.model, inputs, num_items_in_batch=num_items)
        finally:
            sys.setprofile(None)
        loss.backward()
    return calls


def make_trainer(folder: str) -> NTLSFTTrainer:
    """An `NTLSFTTrainer` with the fused head on a Llama of two layers, on the CPU."""
    config_class, sizes = CONFIGS["tiny"]
    config = config_class(**sizes, pad_token_id=0, eos_token_id=1, bos_token_id=3, max_position_embeddings=_LENGTH)
    tokenizer = make_tokenizer(config.vocab_size)
    vocab, generator = NumberVocab.from_tokenizer(tokenizer), torch.Generator().manual_seed(0)
    labels = [make_labels(_LENGTH, vocab, config.vocab_size, 1.0, 0.15, generator) for _ in range(2 * _ROWS)]
    rows = Dataset.from_list([{"input_ids": each.tolist(), "labels": each.tolist()} for each in labels])
    args = NTLSFTConfig(
        folder, use_cpu=True, bf16=False, report_to="none", per_device_train_batch_size=_ROWS, save_strategy="no"
    )
    model = AutoModelForCausalLM.from_config(config)
    return NTLSFTTrainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer)


def main() -> None:
    """Print both counts and the files."""
    with tempfile.TemporaryDirectory() as folder:
        calls = count_calls(make_trainer(folder))
    print(f"{len(calls)} files, {calls.total()} calls")
    for name, count in calls.most_common():
        print(f"{count:5} {name}")


if __name__ == "__main__":
    main()
