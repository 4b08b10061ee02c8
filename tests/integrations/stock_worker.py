"""One of two processes of a stock Trainer with the number loss. Started by test_two_processes.py."""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ntl_hf import NTLConfig
from tests.build import parameters
from tests.tiny import tiny_model

from .stock import CONFIG, callback_options, loss_func_options, stock_trainer

# name -> (architecture, further arguments of the Trainer)
CASES: dict[str, tuple[str, Any]] = {
    "loss func": ("llama", lambda: loss_func_options(CONFIG)),
    "loss func, cross entropy alone": ("llama", lambda: loss_func_options(NTLConfig(weight=0.0))),
    "loss func, t5": ("t5", lambda: loss_func_options(CONFIG)),
    "callback": ("llama", lambda: callback_options(CONFIG)),
}


def train(name: str, folder: Path, size: int, accumulation: int) -> dict[str, Any]:
    """Two steps of eight rows of sums; each micro-batch has the same rows, whichever process has it."""
    architecture, options = CASES[name]
    settings: dict[str, Any] = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulation}
    settings |= {"max_steps": 2, "train_sampling_strategy": "sequential", "learning_rate": 0.01}
    trainer = stock_trainer(tiny_model(architecture), folder, options(), rows=16, text_rows=2, **settings)
    trainer.train()
    return {
        "parameters": parameters(trainer.model),
        "processes": trainer.accelerator.num_processes,
        "wrapper": type(trainer.model_wrapped).__name__,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    status = 0
    try:
        folder = Path(sys.argv[1])
        results = {name: train(name, folder, 2, 2) for name in CASES}
        if dist.get_rank() == 0:
            torch.save(results, folder / "found.pt")
        dist.barrier()
    except Exception:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # gloo sometimes aborts when the interpreter shuts down, after correct work.
    os._exit(status)
