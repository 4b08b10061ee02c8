"""The model and the tokenizer of a recipe."""

from dataclasses import dataclass, field
from typing import Any

from trl import ModelConfig, get_quantization_config


@dataclass
class NumberTokenArguments:
    """What is done to the tokenizer and to the rows of its number tokens."""

    add_digit_tokens: bool = field(
        default=False, metadata={"help": "Add the single digits that the tokenizer lacks, and train their rows."}
    )
    train_number_rows: bool = field(
        default=False,
        metadata={"help": "With LoRA: also train the rows of the number tokens in the embedding and the head."},
    )


def model_kwargs(args: Any, model_args: ModelConfig) -> dict[str, Any]:
    kwargs = {
        "revision": model_args.model_revision,
        "trust_remote_code": args.trust_remote_code,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(args.model_init_kwargs or {}),
    }
    quantization = get_quantization_config(model_args)
    return kwargs if quantization is None else {**kwargs, "quantization_config": quantization}
