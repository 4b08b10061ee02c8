"""An evaluation with pictures of a set that does not divide by the processes. Started by `torchrun`."""

import os
import sys
from pathlib import Path

import torch

from ntl_hf import NTLTrainer
from tests.build import make_trainer
from tests.tiny import char_tokenizer, tiny_model, tokenized


def evaluate(folder: Path) -> int:
    """Write the pictures into `folder`, and return the number of processes."""
    trainer = make_trainer(
        NTLTrainer,
        tiny_model(),
        folder,
        ntl_plots=True,
        per_device_eval_batch_size=2,
        trainer_options={"eval_dataset": tokenized(char_tokenizer(), 7, seed=1)},
    )
    trainer.evaluate()
    return trainer.accelerator.num_processes


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert evaluate(Path(sys.argv[1])) == 2
    torch.distributed.barrier()
    sys.stdout.flush()
    # gloo sometimes aborts when the interpreter shuts down, after correct work.
    os._exit(0)
