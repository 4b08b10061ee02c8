"""`Job`: what a trainer is built from."""

from dataclasses import dataclass
from typing import Any

from .data import DataArguments
from .model_arguments import ModelArguments, NumberTokenArguments
from .systems.arguments import SystemArguments


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

    def encode(self, encoder: Any) -> None:
        """Turn the rows into token ids; the other processes find the first one's work in the cache."""
        with self.args.main_process_first(desc="tokenization"):
            self.train_dataset = encoder.encode(self.train_dataset)
            self.eval_dataset = None if self.eval_dataset is None else encoder.encode(self.eval_dataset)
