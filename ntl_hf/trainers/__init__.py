"""The trainers: stock ones with the number loss added, and one for the systems with a number head."""

from .number_head import NumberHeadTrainer
from .seq2seq import NTLSeq2SeqTrainer
from .sft import NTLSFTTrainer
from .trainer import NTLTrainer

__all__ = ["NTLSFTTrainer", "NTLSeq2SeqTrainer", "NTLTrainer", "NumberHeadTrainer"]
