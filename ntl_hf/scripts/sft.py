"""Supervised fine-tuning of a decoder-only model with CE + NTL, the script behind `ntl-hf sft`."""

from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import ModelConfig, get_peft_config

from ..arguments import NTLSFTConfig
from ..digit_tokens import add_digit_tokens
from ..lora import with_number_rows
from ..trainers import NTLSFTTrainer
from .data import DataArguments, load_split
from .model import NumberTokenArguments, model_kwargs
from .run import check_output_dir, resolve_checkpoint


def build_trainer(
    data_args: DataArguments, token_args: NumberTokenArguments, args: NTLSFTConfig, model_args: ModelConfig
) -> NTLSFTTrainer:
    """Load model, tokenizer and data, and build the trainer; everything that can be refused is refused here.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    if model_args.model_name_or_path is None:
        raise ValueError("`model_name_or_path` is missing: a hub id or a local folder.")
    args.resume_from_checkpoint = resolve_checkpoint(args)
    check_output_dir(args)
    # The data first: it is quick to read, and a typo in its path should not cost the loading of a model.
    train_dataset = load_split(data_args, data_args.dataset_train_split, data_args.max_train_samples)
    eval_dataset = None
    if args.eval_strategy != "no":
        eval_dataset = load_split(data_args, data_args.dataset_test_split, data_args.max_eval_samples)
    tokenizer = AutoTokenizer.from_pretrained(
        model_args.model_name_or_path, revision=model_args.model_revision, trust_remote_code=args.trust_remote_code
    )
    model = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path, **model_kwargs(args, model_args))
    added = add_digit_tokens(tokenizer, model) if token_args.add_digit_tokens else []
    peft_config = get_peft_config(model_args)
    if peft_config is not None:
        peft_config = with_number_rows(
            peft_config, model, tokenizer if token_args.train_number_rows else None, added, args.ntl_digits_only
        )
    trainer = NTLSFTTrainer(
        model=model,
        args=args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
        peft_config=peft_config,
    )
    trainer.check_training_data()
    return trainer
