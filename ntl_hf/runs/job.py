"""`Job`: what a trainer is built from, and the arguments that say which model is trained, as which system."""

from dataclasses import dataclass
from typing import Any

from trl import ModelConfig

from ..settings.checks import check_belonging, check_fields, check_number, documented, setting
from ..systems.scaling import KINDS
from .data import DataArguments

ENCODINGS = ("log", "float", "none")
PLACES = (-9, 12)
# What each system takes of its own.
SYSTEM_OPTIONS: dict[str, tuple[str, ...]] = {
    "standard": (),
    "rt": ("rt_places", "rt_encoding", "rt_largest", "rt_place_values"),
    "xval": ("number_scaling", "number_weight"),
    "regression_head": ("number_scaling",),
}
SYSTEMS = tuple(SYSTEM_OPTIONS)


@documented
@dataclass
class SystemArguments:
    """How numbers go in and out of a model: as tokens like any others, or as one of the systems to compare with.

    Attributes:
        system: 'standard': tokens like any others. 'rt': the Regression Transformer, a token for a digit and its
            place. 'xval': one token for all numbers, scaled by the value, and a number head. 'regression_head': a
            number head instead of text.
        rt_places: rt: the lowest and the highest decimal place, such as -2 6 for 0.01 to 9999999.99.
        rt_encoding: rt: added to the embeddings of numbers: 'float', the value; 'log', its logarithm; 'none'.
        rt_largest: rt: the value whose encoding is 10; with 'float' about the largest number.
        rt_place_values: rt: to the number loss, a token is worth digit * 10^place instead of its digit.
        number_scaling: xval, regression_head: 'range', to [-5, 5] by the largest number in training (the default of
            xval); 'signed_log', sign(x) * log10(|x| + 1); 'none' (the default of regression_head).
        number_weight: xval: the weight of the number head's squared error beside cross entropy.
    """

    system: str = setting("standard", choices=list(SYSTEMS))
    rt_places: list[int] = setting(list(PLACES))
    rt_encoding: str = setting("log", choices=list(ENCODINGS))
    rt_largest: float = 3e9
    rt_place_values: bool = False
    number_scaling: str | None = setting(None, choices=list(KINDS))
    number_weight: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_number("number_weight", self.number_weight)
        if len(self.rt_places) != 2:
            raise ValueError(f"`rt_places` is {self.rt_places}; give two places, such as -2 and 6.")
        options = {f"system: {name}": options for name, options in SYSTEM_OPTIONS.items()}
        check_belonging(self, f"system: {self.system}", options)


@documented
@dataclass
class NumberTokenArguments:
    """What is done to the tokenizer and to the rows of its number tokens.

    Attributes:
        add_digit_tokens: Add the single digits that the tokenizer lacks, and train their rows.
        split_digits: Write numbers digit by digit, with a tokenizer that has pieces of several digits too.
        train_number_rows: With LoRA: also train the rows of the number tokens in the embedding and the head.
    """

    add_digit_tokens: bool = False
    split_digits: bool = False
    train_number_rows: bool = False


@documented
@dataclass
class ModelArguments(ModelConfig):
    """TRL's `ModelConfig`, and whether the weights are taken.

    Attributes:
        from_scratch: Train from random weights, drawn with `seed`: of the model, only its configuration and tokenizer
            are used.
    """

    from_scratch: bool = False


@dataclass
class Job:
    """The arguments of a recipe and, once they are loaded, the model's configuration and the rows, as text.

    Attributes:
        args: the training arguments.
        config: of the model that training starts from, a `PretrainedConfig`.
        train_dataset, eval_dataset: with the columns `prompt` and `completion` or `text`.
    """

    data_args: DataArguments
    token_args: NumberTokenArguments
    system_args: SystemArguments
    args: Any
    model_args: ModelArguments
    config: Any = None
    train_dataset: Any = None
    eval_dataset: Any = None

    @property
    def model_name(self) -> str:
        """Hub id or folder of the model."""
        return str(self.model_args.model_name_or_path)

    @property
    def source(self) -> dict[str, Any]:
        """For `from_pretrained` of all kinds: which revision, and whether its code is run."""
        return {"revision": self.model_args.model_revision, "trust_remote_code": self.args.trust_remote_code}

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether prompt and completion go into two halves of the model."""
        return bool(self.config.is_encoder_decoder)

    def trainer_arguments(self, model: Any, tokenizer: Any, peft_config: Any) -> dict[str, Any]:
        """What the trainers are made from, whichever they are."""
        return {
            "model": model,
            "args": self.args,
            "train_dataset": self.train_dataset,
            "eval_dataset": self.eval_dataset,
            "processing_class": tokenizer,
            "peft_config": peft_config,
        }

    def encode(self, encoder: Any) -> None:
        """Turn the rows into token ids; the other processes find the first one's work in the cache."""
        with self.args.main_process_first(desc="tokenization"):
            self.train_dataset = encoder.encode(self.train_dataset)
            self.eval_dataset = None if self.eval_dataset is None else encoder.encode(self.eval_dataset)
