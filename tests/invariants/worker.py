"""One process of a distributed run: trains tiny models and writes their parameters. Started by test_processes.py."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import DistributedType
from peft import LoraConfig
from torch.distributed.tensor import DTensor

from ntl_hf import NTLConfig, NTLSeq2SeqTrainer, NTLSFTTrainer, NTLTrainer
from tests.build import ARGUMENTS, make_args, make_trainer
from tests.tiny import tiny_model

TRAINERS = {
    "plain": (NTLTrainer, "llama", False),
    "seq2seq": (NTLSeq2SeqTrainer, "t5", False),
    "sft": (NTLSFTTrainer, "llama-tied", False),
    "sft LoRA": (NTLSFTTrainer, "llama", True),
    "sft, whole": (NTLSFTTrainer, "llama", False),
    "sft LoRA, head": (NTLSFTTrainer, "llama", True),
}
# FSDP2 itself refuses T5, whose embedding is shared by encoder and decoder.
MODES = {"ddp": list(TRAINERS), "fsdp2": ["plain", "sft", "sft LoRA"], "zero3": list(TRAINERS)}
WRAPPERS = {"ddp": "DistributedDataParallel", "fsdp2": "FSDP", "zero3": "DeepSpeedEngine"}
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "ddp": {},
    "fsdp2": {
        "fsdp": "full_shard auto_wrap",
        "fsdp_config": {"version": 2, "transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"]},
    },
    "zero3": {
        "deepspeed": {
            "train_micro_batch_size_per_gpu": "auto",
            "gradient_accumulation_steps": "auto",
            "gradient_clipping": "auto",
            "zero_optimization": {"stage": 3},
            "zero_allow_untested_optimizer": True,
        }
    },
}


def train(name: str, folder: Path, size: int, accumulation: int, mode: str | None = None) -> dict[str, Any]:
    """Three SGD steps on the same eight rows each; two of them without a number."""
    trainer_class, architecture, adapted = TRAINERS[name]
    saved = ["lm_head"] if name.endswith("head") else None
    lora = LoraConfig(
        r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM", modules_to_save=saved
    )
    batches = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulation, "max_steps": 3}
    if name == "sft, whole":
        batches["gradient_checkpointing"] = False  # DDP then looks for parameters that are not used
    args = make_args(ARGUMENTS[trainer_class], folder, **batches, **_ARGUMENTS.get(mode or "", {}))
    if mode == "fsdp2":
        # Without a GPU, accelerate takes the processes for another kind, and quietly wraps the model in DDP.
        _ = args.device
        PartialState().distributed_type = DistributedType.MULTI_GPU
    options: dict[str, Any] = {"ntl_config": NTLConfig(reweigh=True), **({"peft_config": lora} if adapted else {})}
    trainer = make_trainer(
        trainer_class, tiny_model(architecture), folder, text_rows=2, args=args, trainer_options=options
    )
    trainer.train()
    local = sum(_local_size(parameter) for parameter in trainer.model.parameters())
    trainer.args.per_device_eval_batch_size = 1
    evaluation = trainer.evaluate(trainer.eval_dataset.select(range(5)))  # an odd number: one process repeats a row
    return {
        "evaluation": evaluation,
        "parameters": _whole_parameters(trainer.model, mode),
        "local": local,
        "logs": trainer.state.log_history,
        "world_size": trainer.accelerator.num_processes,
        "wrapper": type(trainer.model_wrapped).__name__,
        "is_fused": trainer.head_choice.is_fused,
    }


def _local_size(parameter: torch.Tensor) -> int:
    if hasattr(parameter, "ds_tensor"):
        return int(parameter.ds_tensor.numel())
    return parameter.to_local().numel() if isinstance(parameter, DTensor) else parameter.numel()


def _whole_parameters(model: Any, mode: str | None) -> dict[str, torch.Tensor]:
    gathered: Any = nullcontext()
    if mode == "zero3":
        import deepspeed

        gathered = deepspeed.zero.GatheredParameters(list(model.parameters()))
    with gathered:
        named = ((name, p.full_tensor() if isinstance(p, DTensor) else p) for name, p in model.named_parameters())
        return {name: parameter.detach().clone() for name, parameter in named}


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, mode = Path(sys.argv[1]), sys.argv[2]
    result = {name: train(name, folder / name, 2, 2, mode) for name in MODES[mode]}
    if dist.get_rank() == 0:
        torch.save(result, folder / "result.pt")
    dist.barrier()
    sys.stdout.flush()
    # gloo sometimes aborts when the interpreter shuts down, after correct work.
    os._exit(0)
