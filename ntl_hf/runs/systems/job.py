"""`Job`: what a trainer of any system is built from."""

from dataclasses import dataclass
from typing import Any

from transformers import PretrainedConfig

from ..data import DataArguments
from ..model import ModelArguments, NumberTokenArguments
from .arguments import SystemArguments


@dataclass
class Job:
    """The arguments of a recipe, the model's configuration and the rows, as text.

    Attributes:
        config: of the model that training starts from.
        train_dataset, eval_dataset: with the columns `prompt` and `completion` or `text`.
    """

    data_args: DataArguments
    token_args: NumberTokenArguments
    system_args: SystemArguments
    args: Any
    model_args: ModelArguments
    config: PretrainedConfig
    train_dataset: Any
    eval_dataset: Any

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether prompt and completion go into two halves of the model."""
        return bool(self.config.is_encoder_decoder)

    def encode(self, encoder: Any) -> None:
        """Turn the rows into token ids; the other processes find the first one's work in the cache."""
        with self.args.main_process_first(desc="tokenization"):
            self.train_dataset = encoder.encode(self.train_dataset)
            self.eval_dataset = None if self.eval_dataset is None else encoder.encode(self.eval_dataset)
