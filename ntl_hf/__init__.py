"""Number Token Loss for the Hugging Face trainers.

The names below are loaded on first use: `import ntl_hf` itself imports neither torch nor transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .arguments import NTLSeq2SeqTrainingArguments, NTLSFTConfig, NTLTrainingArguments
    from .callback import NTLCallback
    from .config import NTLConfig
    from .decoding import NumberDecoder, number_range, predict_numbers
    from .digit_tokenizer import split_digits
    from .digit_tokens import add_digit_tokens
    from .integrations.loss_func import ntl_loss_func
    from .integrations.loss_function_callback import NTLLossCallback
    from .interrupt import InterruptCallback
    from .lora import number_lora_config
    from .loss_module import NTLoss
    from .number_vocab import NumberVocab
    from .rewards import NumberReward
    from .trainers import NTLSeq2SeqTrainer, NTLSFTTrainer, NTLTrainer

__version__ = "0.1.0"

_MODULE_OF = {
    "InterruptCallback": "interrupt",
    "NTLCallback": "callback",
    "NTLConfig": "config",
    "NTLLossCallback": "integrations.loss_function_callback",
    "NTLSFTConfig": "arguments",
    "NTLSFTTrainer": "trainers",
    "NTLSeq2SeqTrainer": "trainers",
    "NTLSeq2SeqTrainingArguments": "arguments",
    "NTLTrainer": "trainers",
    "NTLTrainingArguments": "arguments",
    "NTLoss": "loss_module",
    "NumberDecoder": "decoding",
    "NumberReward": "rewards",
    "NumberVocab": "number_vocab",
    "add_digit_tokens": "digit_tokens",
    "ntl_loss_func": "integrations.loss_func",
    "number_lora_config": "lora",
    "number_range": "decoding",
    "predict_numbers": "decoding",
    "split_digits": "digit_tokenizer",
}

__all__ = [  # noqa: RUF022 - the order in which a reader meets them
    "NTLConfig",
    "NTLTrainer",
    "NTLTrainingArguments",
    "NTLSeq2SeqTrainer",
    "NTLSeq2SeqTrainingArguments",
    "NTLSFTTrainer",
    "NTLSFTConfig",
    "NTLCallback",
    "InterruptCallback",
    "NTLoss",
    "ntl_loss_func",
    "NTLLossCallback",
    "NumberVocab",
    "add_digit_tokens",
    "split_digits",
    "number_lora_config",
    "predict_numbers",
    "NumberDecoder",
    "number_range",
    "NumberReward",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ntl_hf' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
