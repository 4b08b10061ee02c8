"""Supervised fine-tuning of a decoder-only model with CE + NTL, the script behind `ntl-hf sft`."""

from collections.abc import Iterator
from typing import Any

from datasets import Dataset

from ..settings.arguments import NTLSFTConfig
from ..systems.regression_transformer.places import check_places
from ..tokens.placed_digits import NumberTokens, has_number_tokens
from ..trainers import NTLSFTTrainer
from .data import DataArguments
from .job import Job, ModelArguments, NumberTokenArguments, SystemArguments
from .systems.tokens import load_token_model, trainer_arguments
from .training import build_job_trainer

ARGUMENT_CLASSES = (DataArguments, NumberTokenArguments, SystemArguments, NTLSFTConfig, ModelArguments)


def build_trainer(*arguments: Any) -> NTLSFTTrainer:
    """The trainer for one instance of each of `ARGUMENT_CLASSES`; everything that can be refused is refused here.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    return build_job_trainer(Job(*arguments), _check, _build)


def _check(job: Job) -> None:
    if job.is_encoder_decoder:
        raise ValueError(f"{job.model_name} is an encoder-decoder: train it with `ntl-hf train`.")
    if job.system_args.system not in ("standard", "rt"):
        raise ValueError(f"`system: {job.system_args.system}` is trained with `ntl-hf train`.")


def _build(job: Job) -> NTLSFTTrainer:
    loaded = load_token_model(job, **(job.args.model_init_kwargs or {}))
    # TRL makes token ids of the texts itself.
    if has_number_tokens(loaded.tokenizer):
        tokens = NumberTokens.from_tokenizer(loaded.tokenizer)
        for dataset in (job.train_dataset, job.eval_dataset):
            if isinstance(dataset, Dataset):
                check_places((text for row in dataset for text in _texts(row)), tokens)
    return NTLSFTTrainer(**trainer_arguments(loaded, job))


def _texts(row: dict[str, Any]) -> Iterator[str]:
    """The texts of a row, those of its conversations too."""
    for name in ("prompt", "completion", "text", "messages", "conversations"):
        value = row.get(name)
        turns: list[Any] = value if isinstance(value, list) else [{"content": value}]
        yield from (str(turn["content"]) for turn in turns if isinstance(turn.get("content"), str))
