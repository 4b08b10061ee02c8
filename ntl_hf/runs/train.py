"""Training a decoder-only or encoder-decoder model, with CE + NTL or as one of the systems to compare with.

The script behind `ntl-hf train`.
"""

from dataclasses import dataclass
from typing import Any

from ..settings.arguments import NTLSeq2SeqTrainingArguments
from ..settings.checks import documented
from .data import DataArguments
from .job import Job, ModelArguments, NumberTokenArguments, SystemArguments
from .systems import number_heads, tokens
from .training import build_job_trainer


@documented
@dataclass
class TrainConfig(NTLSeq2SeqTrainingArguments):
    """`NTLSeq2SeqTrainingArguments` for both kinds of model, with what `SFTConfig` has beside them.

    Attributes:
        max_length: Where rows are cut, in tokens: for decoders prompt and completion together, for encoder-decoders
            each of them.
        trust_remote_code: Run the code that comes with a model that transformers does not have.
    """

    max_length: int | None = 1024
    trust_remote_code: bool = False


ARGUMENT_CLASSES = (DataArguments, NumberTokenArguments, SystemArguments, TrainConfig, ModelArguments)
_BUILDERS = {
    "standard": tokens.build_trainer,
    "rt": tokens.build_trainer,
    "xval": number_heads.build_xval_trainer,
    "regression_head": number_heads.build_regression_trainer,
}


def build_trainer(*arguments: Any) -> Any:
    """The trainer for one instance of each of `ARGUMENT_CLASSES`; everything that can be refused is refused here.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    job = Job(*arguments)
    return build_job_trainer(job, _check, _BUILDERS[job.system_args.system])


def _check(job: Job) -> None:
    if job.args.predict_with_generate and not job.is_encoder_decoder:
        raise ValueError(
            f"`predict_with_generate` is for encoder-decoders; '{job.config.model_type}' is decoder-only. Remove it."
        )
