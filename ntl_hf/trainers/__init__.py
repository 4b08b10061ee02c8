"""The trainers: stock ones with the number loss added."""

from .seq2seq import NTLSeq2SeqTrainer
from .sft import NTLSFTTrainer
from .trainer import NTLTrainer

__all__ = ["NTLSFTTrainer", "NTLSeq2SeqTrainer", "NTLTrainer"]
