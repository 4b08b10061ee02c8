"""One process of a run of a number head: trains, and the first one writes what came of it. Also run alone."""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from datasets import Dataset
from transformers import TrainingArguments

from ntl_hf.systems.regression_head import RegressionEncoder, load_regression_head
from ntl_hf.systems.scaling import NumberScaling
from ntl_hf.systems.trainer import NumberHeadTrainer
from ntl_hf.systems.xval.model import load_xval
from ntl_hf.systems.xval.text import NUM_TOKEN, XValEncoder, xval_tokenizer
from tests.build import make_args, parameters
from tests.tiny import char_tokenizer, sums, tiny_model

SCALING = NumberScaling("range", 500.0)
# Of micro-batches of two, one has no number in its labels.
TEXTS = (4, 5)


def rows(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Sums of ragged lengths, with several numbers in some answers and none in others."""
    found = []
    for i, row in enumerate(sums(n, seed)):
        target = float(row["completion"])
        answer = "no idea" if i % 8 in TEXTS else f"{row['completion']} or 12" if i % 3 == 0 else row["completion"]
        found.append({"prompt": row["prompt"], "completion": answer, "target": target})
    return found


def write_base(architecture: str, folder: Path) -> Path:
    """The base model of a run, written once."""
    base = folder / f"base-{architecture}"
    if not base.exists():
        model = tiny_model(architecture)
        if architecture == "t5":
            # Its attention does not divide by the width: with large weights it is so sharp that rounding decides.
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.mul_(0.6)
        model.save_pretrained(base)
    return base


def build(
    system: str, architecture: str, folder: Path, n: int = 24, dtype: Any = torch.float32, **options: Any
) -> NumberHeadTrainer:
    """A trainer of "xval" or "regression_head" on a tiny model."""
    tokenizer, is_encoder_decoder = char_tokenizer(), architecture == "t5"
    base = write_base(architecture, folder)
    torch.manual_seed(0)
    if system == "xval":
        tokenizer = xval_tokenizer(tokenizer)
        num_id = tokenizer.convert_tokens_to_ids(NUM_TOKEN)
        model = load_xval(str(base), num_id, len(tokenizer), SCALING, number_weight=3.0, dtype=dtype)
        encoder: Any = XValEncoder(tokenizer, is_encoder_decoder)
    else:
        model = load_regression_head(str(base), tokenizer, SCALING, dtype=dtype)
        encoder = RegressionEncoder(tokenizer, is_encoder_decoder)
    columns = ["prompt", "completion" if system == "xval" else "target"]
    train, evaluation = (encoder.encode(Dataset.from_list(rows(*of)).select_columns(columns)) for of in ((n,), (5, 1)))
    trainer_options = {name: options.pop(name) for name in ("peft_config", "callbacks") if name in options}
    return NumberHeadTrainer(
        model=model,
        args=make_args(TrainingArguments, folder / "run", **{"train_sampling_strategy": "sequential", **options}),
        train_dataset=train,
        eval_dataset=evaluation,
        processing_class=tokenizer,
        **trainer_options,
    )


def train(system: str, architecture: str, folder: Path, size: int, accumulation: int) -> dict[str, Any]:
    """Three steps of eight rows, and an evaluation."""
    arguments = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulation, "max_steps": 3}
    trainer = build(system, architecture, folder, learning_rate=0.01, per_device_eval_batch_size=1, **arguments)
    started = parameters(trainer.model)
    trainer.train()
    return {
        "started": started,
        "parameters": parameters(trainer.model),
        "logs": [log for log in trainer.state.log_history if "loss" in log],
        "evaluation": trainer.evaluate(),
        "world_size": trainer.accelerator.num_processes,
        "wrapper": type(trainer.model_wrapped).__name__,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    status = 0
    try:
        folder = Path(sys.argv[1])
        results = {tuple(case.split("/")): train(*case.split("/"), folder, 2, 2) for case in sys.argv[2:]}
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
