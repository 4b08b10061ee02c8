"""The trainers: stock ones with the number loss added."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .seq2seq import NTLSeq2SeqTrainer
    from .sft import NTLSFTTrainer
    from .trainer import NTLTrainer

__all__ = ["NTLSFTTrainer", "NTLSeq2SeqTrainer", "NTLTrainer"]

# Loaded on first use: only `NTLSFTTrainer` needs TRL's fused head.
_MODULE_OF = {
    "NTLSFTTrainer": "sft",
    "NTLSeq2SeqTrainer": "seq2seq",
    "NTLTrainer": "trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
