"""The arguments that say which model is trained, and with which tokens."""

from dataclasses import dataclass

from trl import ModelConfig

from ..settings.checks import setting


@dataclass
class NumberTokenArguments:
    """What is done to the tokenizer and to the rows of its number tokens."""

    add_digit_tokens: bool = setting(False, "Add the single digits that the tokenizer lacks, and train their rows.")
    split_digits: bool = setting(
        False, "Write numbers digit by digit, with a tokenizer that has pieces of several digits too."
    )
    train_number_rows: bool = setting(
        False, "With LoRA: also train the rows of the number tokens in the embedding and the head."
    )


@dataclass
class ModelArguments(ModelConfig):
    """TRL's `ModelConfig`, and whether the weights are taken."""

    from_scratch: bool = setting(
        False,
        "Train from random weights, drawn with `seed`: of the model, only its configuration and tokenizer are used.",
    )
