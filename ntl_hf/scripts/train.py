"""Training a decoder-only or encoder-decoder model with CE + NTL, the script behind `ntl-hf train`."""

from dataclasses import dataclass, field

from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    PretrainedConfig,
)

from ..arguments import NTLSeq2SeqTrainingArguments
from ..data import TextEncoder, check_text_columns, right_padding_collator
from ..trainers import NTLSeq2SeqTrainer, NTLTrainer
from .data import DataArguments, load_data
from .model import ModelArguments, NumberTokenArguments, load_config, load_model, lora_config
from .run import check, claim_output_dir


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


ARGUMENT_CLASSES = (DataArguments, NumberTokenArguments, TrainConfig, ModelArguments)


def build_trainer(
    data_args: DataArguments, token_args: NumberTokenArguments, args: TrainConfig, model_args: ModelArguments
) -> NTLTrainer | NTLSeq2SeqTrainer:
    """Load model, tokenizer and data, and build the trainer; everything that can be refused is refused here.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    claim_output_dir(args)
    # What is quick to read first: a typo in a path should not cost the loading of a model.
    config = load_config(model_args, args.trust_remote_code)
    _check_generation(config, args)
    train_dataset, eval_dataset = load_data(data_args, args.eval_strategy != "no", args.max_steps)
    check_text_columns(train_dataset, config.is_encoder_decoder)
    auto_class = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    loaded = load_model(auto_class, model_args, token_args, args)
    encoder = TextEncoder(loaded.tokenizer, config.is_encoder_decoder, args.max_length)
    # The other processes find the first one's work in the cache.
    with args.main_process_first(desc="tokenization"):
        train_dataset = encoder.encode(train_dataset)
        eval_dataset = None if eval_dataset is None else encoder.encode(eval_dataset)
    trainer_class = NTLSeq2SeqTrainer if config.is_encoder_decoder else NTLTrainer
    trainer = trainer_class(
        model=loaded.model,
        args=args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        data_collator=right_padding_collator(loaded.tokenizer),
        processing_class=loaded.tokenizer,
        peft_config=lora_config(loaded, model_args, token_args, args.ntl_digits_only),
    )
    check(trainer)
    return trainer


def _check_generation(config: PretrainedConfig, args: TrainConfig) -> None:
    if args.predict_with_generate and not config.is_encoder_decoder:
        raise ValueError(
            f"`predict_with_generate` is for encoder-decoders; '{config.model_type}' is decoder-only. Remove it."
        )
