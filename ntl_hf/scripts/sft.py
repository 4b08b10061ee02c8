"""Supervised fine-tuning of a decoder-only model with CE + NTL, the script behind `ntl-hf sft`."""

from typing import Any

from transformers import AutoModelForCausalLM

from ..arguments import NTLSFTConfig
from ..trainers import NTLSFTTrainer
from .data import DataArguments, load_data
from .model import ModelArguments, NumberTokenArguments, load_config, load_model, lora_config
from .run import check, claim_output_dir

ARGUMENT_CLASSES = (DataArguments, NumberTokenArguments, NTLSFTConfig, ModelArguments)


def build_trainer(
    data_args: DataArguments, token_args: NumberTokenArguments, args: NTLSFTConfig, model_args: ModelArguments
) -> NTLSFTTrainer:
    """Load model, tokenizer and data, and build the trainer; everything that can be refused is refused here.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    claim_output_dir(args)
    # What is quick to read first: a typo in a path should not cost the loading of a model.
    config = load_config(model_args, args.trust_remote_code)
    if config.is_encoder_decoder:
        raise ValueError(f"{model_args.model_name_or_path} is an encoder-decoder: train it with `ntl-hf train`.")
    train_dataset, eval_dataset = load_data(data_args, args.eval_strategy != "no", args.max_steps)
    init_kwargs: Any = args.model_init_kwargs or {}
    loaded = load_model(AutoModelForCausalLM, model_args, token_args, args, **init_kwargs)
    trainer = NTLSFTTrainer(
        model=loaded.model,
        args=args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=loaded.tokenizer,
        peft_config=lora_config(loaded, model_args, token_args, args.ntl_digits_only),
    )
    check(trainer)
    return trainer
