"""What is trained in several processes: the modes, and the cases that each of them goes through."""

from dataclasses import dataclass, field
from typing import Any

from ntl_hf import NTLSeq2SeqTrainer, NTLSFTTrainer, NTLTrainer

STEPS, ROWS_PER_STEP = 5, 8
# What is compared of logs and evaluations.
COMPONENTS = ("ce_loss", "ntl_loss", "number_mass", "number_mae", "number_token_fraction")


# What the model is wrapped in, which shows that the mode was in force. Tensor parallelism wraps nothing.
WRAPPERS = {
    "ddp": "DistributedDataParallel",
    "fsdp2": "FSDP",
    "zero2": "DeepSpeedEngine",
    "zero3": "DeepSpeedEngine",
    "tp": ("LlamaForCausalLM", "PeftModelForCausalLM"),
}
MODES = tuple(WRAPPERS)
# Whose processes see different rows; those of tensor parallelism see the same.
DATA_PARALLEL = ("ddp", "fsdp2", "zero2", "zero3")
# Of which `make test`, of DDP, and `make test-slow` run a few cases.
CORE_MODES = ("ddp", "fsdp2", "zero3")


@dataclass(frozen=True)
class Case:
    """One way to train.

    Attributes:
        trainer: the class.
        architecture: see tests/tiny.py; "llama-tied" shares one table between embedding and head.
        adapter: None (all parameters), "lora", "rows" (and the rows of the number tokens), "head" (and the whole
            output head) or "columns" (LoRA on the layers whose output tensor parallelism splits).
        head: see `NTLConfig.head`.
        rows: "ragged"; "unlabelled": of which one micro-batch has no label; or "many", to be packed.
        arguments: further training arguments.
        config: of the number loss, see `NTLConfig`.
        modes: those that have it.
        is_core: whether it is one of those few.
    """

    trainer: Any
    architecture: str
    adapter: str | None = None
    head: str = "fused"
    rows: str = "ragged"
    arguments: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=lambda: {"weight": 1.0, "reweigh": True})
    modes: tuple[str, ...] = DATA_PARALLEL
    is_core: bool = False


# FSDP2 refuses T5, whose embedding is shared by encoder and decoder, and a tied head with single rows trained.
_NO_FSDP = ("ddp", "zero2", "zero3")
_BALANCED = {"loss": "crps:0.5+number:0.1", "balance": "loss"}
_PACKED = {"packing": True, "eval_packing": False, "max_length": 32}
CASES = {
    "plain": Case(NTLTrainer, "llama", modes=MODES, is_core=True),
    "plain LoRA": Case(NTLTrainer, "llama-tied", "lora", is_core=True),
    "sft": Case(NTLSFTTrainer, "llama-tied", modes=MODES, is_core=True),
    "sft LoRA": Case(NTLSFTTrainer, "llama", "lora", is_core=True),
    "plain, tied": Case(NTLTrainer, "llama-tied", modes=MODES),
    "plain LoRA, untied": Case(NTLTrainer, "llama", "lora"),
    "sft, untied": Case(NTLSFTTrainer, "llama", modes=MODES),
    "sft LoRA, tied": Case(NTLSFTTrainer, "llama-tied", "lora"),
    "plain, logits": Case(NTLTrainer, "llama", head="logits", modes=MODES),
    "sft LoRA, logits": Case(NTLSFTTrainer, "llama", "lora", head="logits"),
    "plain, checkpointing": Case(NTLTrainer, "llama-tied", arguments={"activation_checkpointing": True}),
    # DDP then looks for parameters that are not used.
    "sft, no checkpointing": Case(NTLSFTTrainer, "llama", arguments={"activation_checkpointing": False}),
    "plain, unlabelled": Case(NTLTrainer, "llama", rows="unlabelled"),
    "sft, unlabelled": Case(NTLSFTTrainer, "llama", rows="unlabelled"),
    "sft, packed": Case(NTLSFTTrainer, "llama", rows="many", arguments=_PACKED),
    "sft LoRA, whole head": Case(NTLSFTTrainer, "llama", "head"),
    "sft LoRA, number rows": Case(NTLSFTTrainer, "llama", "rows"),
    "plain LoRA, number rows, tied": Case(NTLTrainer, "llama-tied", "rows", modes=_NO_FSDP),
    "seq2seq": Case(NTLSeq2SeqTrainer, "t5", modes=_NO_FSDP),
    "seq2seq LoRA": Case(NTLSeq2SeqTrainer, "t5", "lora", modes=_NO_FSDP),
    "plain t5": Case(NTLTrainer, "t5", modes=_NO_FSDP),
    "plain t5 LoRA": Case(NTLTrainer, "t5", "lora", modes=_NO_FSDP),
    "sft, balanced sum": Case(NTLSFTTrainer, "llama", config=_BALANCED, modes=("ddp",), is_core=True),
    "plain, balanced sum": Case(NTLTrainer, "llama", config={**_BALANCED, "balance": "gradient"}),
    # peft 0.21.2 fails on the layers whose input is split, with or without the number loss.
    "plain LoRA, split": Case(NTLTrainer, "llama", "columns", modes=("tp",)),
    "sft LoRA, split": Case(NTLSFTTrainer, "llama", "columns", modes=("tp",)),
}


def _deepspeed(stage: int) -> dict[str, Any]:
    return {
        "deepspeed": {
            "train_micro_batch_size_per_gpu": "auto",
            "gradient_accumulation_steps": "auto",
            "gradient_clipping": "auto",
            "zero_optimization": {"stage": stage, "stage3_gather_16bit_weights_on_model_save": True},
            "zero_allow_untested_optimizer": True,
        }
    }


MODE_ARGUMENTS: dict[str | None, dict[str, Any]] = {
    None: {},
    "ddp": {},
    "fsdp2": {
        "fsdp": True,
        "fsdp_config": {"version": 2, "transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"]},
    },
    "zero2": _deepspeed(2),
    "zero3": _deepspeed(3),
    "tp": {"save_strategy": "no"},  # the stock trainer cannot resume it, and says so
}


def is_core(mode: str, name: str) -> bool:
    """Whether `make test` or `make test-slow` runs a case in a mode."""
    return mode in CORE_MODES and CASES[name].is_core


def cases_of(mode: str, core: bool | None = None) -> list[str]:
    """Names of a mode's cases; with `core`, of those in the core, or of the others."""
    return [name for name, case in CASES.items() if mode in case.modes and core in (None, is_core(mode, name))]
