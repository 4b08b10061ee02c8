"""Training a decoder-only or encoder-decoder model, with CE + NTL or as one of the systems to compare with.

The script behind `ntl-hf train`.
"""

from dataclasses import dataclass, field
from typing import Any

from transformers import PretrainedConfig

from ..data import check_text_columns
from ..settings.arguments import NTLSeq2SeqTrainingArguments
from .data import DataArguments, load_data
from .model import ModelArguments, NumberTokenArguments, load_config
from .run import check, claim_output_dir, set_card_info
from .systems import Job, SystemArguments, trainer_for
from .systems.load import check_start


@dataclass
class TrainConfig(NTLSeq2SeqTrainingArguments):
    """`NTLSeq2SeqTrainingArguments` for both kinds of model, with what `SFTConfig` has beside them."""

    max_length: int | None = field(
        default=1024,
        metadata={
            "help": "Where rows are cut, in tokens: for decoders prompt and completion together, for encoder-decoders "
            "each of them."
        },
    )
    trust_remote_code: bool = field(
        default=False,
        metadata={"help": "Run the code that comes with a model that transformers does not have."},
    )


ARGUMENT_CLASSES = (DataArguments, NumberTokenArguments, SystemArguments, TrainConfig, ModelArguments)


def build_trainer(
    data_args: DataArguments,
    token_args: NumberTokenArguments,
    system_args: SystemArguments,
    args: TrainConfig,
    model_args: ModelArguments,
) -> Any:
    """Load model, tokenizer and data, and build the trainer; everything that can be refused is refused here.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    claim_output_dir(args)
    # What is quick to read first: a typo in a path should not cost the loading of a model.
    config = load_config(model_args, args.trust_remote_code)
    _check_generation(config, args)
    check_start(config, system_args, str(model_args.model_name_or_path))
    train_dataset, eval_dataset = load_data(data_args, args.eval_strategy != "no", args.max_steps)
    if system_args.system != "regression_head":  # which takes a target in the place of a completion
        check_text_columns(train_dataset, config.is_encoder_decoder)
    job = Job(data_args, token_args, system_args, args, model_args, config, train_dataset, eval_dataset)
    trainer = trainer_for(job)
    set_card_info(trainer, data_args, model_args)
    check(trainer)
    return trainer


def _check_generation(config: PretrainedConfig, args: TrainConfig) -> None:
    if args.predict_with_generate and not config.is_encoder_decoder:
        raise ValueError(
            f"`predict_with_generate` is for encoder-decoders; '{config.model_type}' is decoder-only. Remove it."
        )
