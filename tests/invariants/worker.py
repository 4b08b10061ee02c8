"""One process of a distributed run: trains a tiny model and writes its parameters. Started by test_processes.py."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from ntl_hf import NTLSeq2SeqTrainer, NTLSFTTrainer, NTLTrainer
from tests.build import make_trainer, parameters
from tests.tiny import tiny_model

TRAINERS = {
    "plain": (NTLTrainer, "llama"),
    "seq2seq": (NTLSeq2SeqTrainer, "t5"),
    "sft": (NTLSFTTrainer, "llama-tied"),
}


def train(name: str, folder: Path, size: int, accumulation: int) -> dict:
    """Three SGD steps on the same eight rows each; two of them without a number."""
    trainer_class, architecture = TRAINERS[name]
    trainer = make_trainer(
        trainer_class,
        tiny_model(architecture),
        folder,
        text_rows=2,
        max_steps=3,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulation,
        ddp_find_unused_parameters=False,
    )
    trainer.train()
    trainer.args.per_device_eval_batch_size = 1
    evaluation = trainer.evaluate(trainer.eval_dataset.select(range(5)))  # an odd number: one process repeats a row
    return {
        "evaluation": evaluation,
        "parameters": parameters(trainer.model),
        "logs": trainer.state.log_history,
        "world_size": trainer.accelerator.num_processes,
        "wrapper": type(trainer.model_wrapped).__name__,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    result = {name: train(name, Path(sys.argv[1]) / name, 2, 2) for name in TRAINERS}
    if dist.get_rank() == 0:
        torch.save(result, Path(sys.argv[1]) / "result.pt")
    dist.barrier()
    sys.stdout.flush()
    # gloo sometimes aborts when the interpreter shuts down, after correct work.
    os._exit(0)
