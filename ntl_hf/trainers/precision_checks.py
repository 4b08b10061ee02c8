"""What is said of bfloat16 and float16 on a CPU without instructions for them: one line, with the factor measured."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.benchmark import Timer

# As `torch.cpu.get_capabilities` calls them, on x86 and on ARM.
_INSTRUCTIONS = {
    torch.bfloat16: ("avx512_bf16", "amx_bf16", "amx_tile", "bf16", "sve_bf16"),
    torch.float16: ("avx512_fp16", "amx_fp16", "fp16_arith"),
}
_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16, "bfloat16": torch.bfloat16, "float16": torch.float16}
_ROWS, _WIDTH = 64, 384
_BUDGET_S = 0.05
# Below it there is nothing to gain from float32, whatever the processor is said to have.
_WORTH_A_WORD = 1.5


def warn_of_slow_training(trainer: Any) -> None:
    """Warn, in the main process, if a training on the CPU is in a precision that the processor only emulates.

    Args:
        trainer: a `transformers` trainer; its mixed precision, full evaluation and weights are looked at.
    """
    if trainer.args.device.type != "cpu" or not trainer.accelerator.is_main_process:
        return
    full = [_HALVES[name] for name in ("bf16", "fp16") if getattr(trainer.args, f"{name}_full_eval", False)]
    warn_of_slow_dtypes([_HALVES.get(trainer.accelerator.mixed_precision), *full, *dtypes_of(trainer.model)])


def dtypes_of(model: nn.Module) -> set[torch.dtype]:
    """The dtypes of a model's parameters."""
    return {parameter.dtype for parameter in model.parameters()}


def warn_of_slow_settings(runs: Iterable[Mapping[str, Any]]) -> None:
    """As `warn_of_slow_training`, before a model is loaded: by `dtype`, `bf16`, `fp16` and `use_cpu` of recipes."""
    has_accelerator = torch.accelerator.is_available()
    on_cpu = [run for run in runs if run.get("use_cpu") or not has_accelerator]
    names = [name for run in on_cpu for name in ("bf16", "fp16") if run.get(name)]
    warn_of_slow_dtypes(_HALVES.get(name) for name in (*names, *(str(run.get("dtype")) for run in on_cpu)))


def warn_of_slow_dtypes(dtypes: Iterable[torch.dtype | None]) -> None:
    """Warn of the first of these dtypes that the CPU only emulates; in less than a third of a second.

    Args:
        dtypes: all that a run on the CPU has; those other than bfloat16 and float16 are passed over.
    """
    for dtype in dict.fromkeys(dtypes):
        if dtype not in _INSTRUCTIONS or has_instructions(dtype, _capabilities()):
            continue
        factor = slowdown(dtype)
        if factor >= _WORTH_A_WORD:
            name = str(dtype).removeprefix("torch.")
            warnings.warn(
                f"{name} on this CPU takes {factor:.{0 if factor >= 10 else 1}f} times as long as float32, for the "
                f"processor has no instructions for it: set `bf16` and `fp16` to false and `dtype` to float32."
            )
            return


def has_instructions(dtype: torch.dtype, capabilities: Mapping[str, Any]) -> bool:
    """Whether a processor computes in bfloat16 or float16 itself.

    Args:
        dtype: one of the two.
        capabilities: from `torch.cpu.get_capabilities()`.
    """
    return any(capabilities.get(name) for name in _INSTRUCTIONS[dtype])


def slowdown(dtype: torch.dtype) -> float:
    """How many times as long as in float32 the backward pass of a small product takes on the CPU."""
    return _backward_seconds(dtype) / _backward_seconds(torch.float32)


def _backward_seconds(dtype: torch.dtype) -> float:
    # Ones, because the random state is the training's.
    rows = torch.ones(_ROWS, _WIDTH, dtype=dtype, requires_grad=True)
    weight = torch.ones(_WIDTH, _WIDTH, dtype=dtype, requires_grad=True)
    with torch.enable_grad():
        product = rows @ weight
    # On one thread, which is the timer's default: the other cores may be busy with something else.
    timer = Timer(
        "torch.autograd.grad(product, inputs, gradient, retain_graph=True)",
        globals={"product": product, "inputs": (rows, weight), "gradient": torch.ones_like(product)},
    )
    return timer.blocked_autorange(min_run_time=_BUDGET_S).median


def _capabilities() -> Mapping[str, Any]:
    """Of this processor; torch before 2.13 knows a part of them, and under private names."""
    if hasattr(torch.cpu, "get_capabilities"):
        return torch.cpu.get_capabilities()
    names = ("avx512_bf16", "amx_tile", "amx_fp16")
    return {name: getattr(torch.cpu, f"_is_{name}_supported", lambda: False)() for name in names}
