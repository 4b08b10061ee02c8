"""The loss alone, forward and backward: from hidden states, or from given logits.

Run `python -m benchmarks.loss --preset targets`.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch

from .contenders import CONTENDERS
from .measure import Budget, Measurement, available_bytes, measure
from .script import Plan, Script, main
from .synthetic import make_batch


@dataclass(frozen=True)
class Case:
    """Sizes of one batch.

    Attributes:
        name: of the case.
        vocab_size: V.
        tokens: positions.
        labelled: share of them that has a label.
        numbers: share of the labels that is a number token.
        number_tokens: D.
        dtype: of hidden states, weight and logits.
        hidden_size: H.
    """

    name: str
    vocab_size: int = 128_256
    tokens: int = 2048
    labelled: float = 1.0
    numbers: float = 0.15
    number_tokens: int = 10
    dtype: str = "float32"
    hidden_size: int = 576


_VARIED: dict[str, tuple[Any, ...]] = {
    "vocab_size": (32_128, 49_155, 262_144),
    "tokens": (1024, 4096, 8192, 16_384),
    "labelled": (0.5,),
    "numbers": (0.0, 1.0),
    "number_tokens": (1110,),
    "dtype": ("bfloat16",),
}
BASE = Case("base")
CASES = {case.name: case for case in (BASE, *(
    replace(BASE, name=f"{name}={value}", **{name: value}) for name, values in _VARIED.items() for value in values
))}  # fmt: skip

# What the ratios of the report are made of.
_NTL_COST = ["ours-fused", "ours-fused-ce-only"]
_OTHER_LOSSES = [f"ours-fused-{name}" for name in ("crps", "smmd", "del", "number")]
_TARGETS = {
    "base": ["ours-fused", "trl-ce", "ours-fused-ce-only", "ours-logits", "ntloss-logits"],
    "labelled=0.5": ["ours-fused", "trl-ce"],
    "tokens=4096": ["ours-fused", "plain-ce"],
    "vocab_size=32128": _NTL_COST + _OTHER_LOSSES,
    "vocab_size=262144": _NTL_COST,
    "number_tokens=1110": _NTL_COST + _OTHER_LOSSES,
}
_QUICK = {"base": _TARGETS["base"], "labelled=0.5": list(CONTENDERS)}
_QUICK_SIZES: dict[str, Any] = {"vocab_size": 1500, "tokens": 64, "hidden_size": 16}


def plan(preset: str, device: torch.device, options: dict[str, Any]) -> Plan:
    cases = {name: replace(case, hidden_size=options["hidden_size"]) for name, case in CASES.items()}
    if preset == "targets":
        return [(cases[name], contenders) for name, contenders in _TARGETS.items()]
    if preset == "quick":
        return [(replace(cases[name], **_QUICK_SIZES), contenders) for name, contenders in _QUICK.items()]
    return [(case, list(CONTENDERS)) for case in cases.values()]


def why_not(case: Case, contender: str, device: torch.device, options: dict[str, Any]) -> str | None:
    reason = CONTENDERS[contender].why_not(device)
    available = available_bytes(device)
    if reason is None and available is not None and _needed_bytes(case, contender) > available:
        return f"it needs about {_needed_bytes(case, contender) / 2**30:.0f} GiB, free are {available / 2**30:.0f} GiB"
    return reason


def _needed_bytes(case: Case, contender: str) -> int:
    # Logits, their log-softmax and two gradients, and one to spare.
    logits = 5 * case.tokens if CONTENDERS[contender].full_logits else 0
    return 4 * case.vocab_size * (logits + 3 * case.hidden_size) + 2**29


def measure_case(
    case: Case, contender: str, device: torch.device, options: dict[str, Any], budget: Budget
) -> Measurement:
    chosen = CONTENDERS[contender]
    batch = make_batch(case, device, chosen.from_logits, chosen.frozen)
    return measure(chosen.build(batch), batch.clear, budget, device)


SCRIPT = Script(
    name="loss",
    case_type=Case,
    plan=plan,
    objective=lambda contender: CONTENDERS[contender].objective,
    why_not=why_not,
    measure=measure_case,
    options=(("hidden_size", BASE.hidden_size, "hidden size"),),
)

if __name__ == "__main__":
    main(SCRIPT)
