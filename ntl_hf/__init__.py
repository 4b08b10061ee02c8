"""Number Token Loss for the Hugging Face trainers.

The names below are loaded on first use: `import ntl_hf` itself imports neither torch nor transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .decoding import NumberDecoder, number_range, predict_numbers
    from .head.loss_module import NTLoss
    from .integrations.loss_func import ntl_loss_func
    from .integrations.loss_function_callback import NTLLossCallback
    from .integrations.rewards import NumberReward
    from .settings.arguments import NTLSeq2SeqTrainingArguments, NTLSFTConfig, NTLTrainingArguments
    from .settings.config import NTLConfig
    from .tokens.digit_tokenizer import split_digits
    from .tokens.digit_tokens import add_digit_tokens
    from .tokens.number_vocab import NumberVocab
    from .trainers import NTLSeq2SeqTrainer, NTLSFTTrainer, NTLTrainer
    from .trainers.callback import NTLCallback
    from .trainers.interrupt import InterruptCallback
    from .trainers.lora import number_lora_config

__version__ = "0.1.0"

_MODULE_OF = {
    "InterruptCallback": "trainers.interrupt",
    "NTLCallback": "trainers.callback",
    "NTLConfig": "settings.config",
    "NTLLossCallback": "integrations.loss_function_callback",
    "NTLSFTConfig": "settings.arguments",
    "NTLSFTTrainer": "trainers",
    "NTLSeq2SeqTrainer": "trainers",
    "NTLSeq2SeqTrainingArguments": "settings.arguments",
    "NTLTrainer": "trainers",
    "NTLTrainingArguments": "settings.arguments",
    "NTLoss": "head.loss_module",
    "NumberDecoder": "decoding",
    "NumberReward": "integrations.rewards",
    "NumberVocab": "tokens.number_vocab",
    "add_digit_tokens": "tokens.digit_tokens",
    "ntl_loss_func": "integrations.loss_func",
    "number_lora_config": "trainers.lora",
    "number_range": "decoding",
    "predict_numbers": "decoding",
    "split_digits": "tokens.digit_tokenizer",
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
