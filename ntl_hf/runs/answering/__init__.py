"""How a trained model answers the rows of an evaluation: in tokens, or with a number head."""

from typing import Any, Protocol

from datasets import Dataset

from ...decoding import NumberPrediction
from ...evaluation.teacher_forced import TokenSums
from ...systems.registration import check_token_model
from ..data import DataArguments
from ..evaluation_arguments import EvaluationArguments
from ..systems.load import system_name

__all__ = ["Answering", "answering_for"]


class Answering(Protocol):
    """A model and the rows that it is asked; made before anything is computed, so that it can refuse them.

    Attributes:
        answer_mark: what the final answer stands after in its texts; None where they are the answer.
    """

    answer_mark: str | None

    def texts(self) -> list[str]:
        """One answer a row."""
        ...

    def decoded(self) -> list[NumberPrediction]:
        """What number-aware decoding predicts, one a row; empty where it was not asked for."""
        ...

    def sums(self) -> TokenSums | None:
        """What the model makes of the true answers; None where these are no tokens to it."""
        ...


def answering_for(
    model: Any, tokenizer: Any, rows: Dataset, data_args: DataArguments, args: EvaluationArguments
) -> Answering:
    """How a model answers; `ValueError` for rows or settings that it cannot be asked with."""
    match system_name(model.config):
        case "xval":
            from .number_heads import XValAnswering

            return XValAnswering(model, tokenizer, rows, data_args, args)
        case "regression_head":
            from .number_heads import RegressionHeadAnswering

            return RegressionHeadAnswering(model, tokenizer, rows, args)
        case _:
            check_token_model(model.config, tokenizer)
            from .tokens import TokenAnswering

            return TokenAnswering(model, tokenizer, rows, data_args, args)
