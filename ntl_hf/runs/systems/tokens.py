"""Numbers as tokens: the model as it is, or as a Regression Transformer."""

from ...data import TextEncoder, right_padding_collator
from ...systems.regression_transformer.places import PlacedDigitEncoder
from ...tokens.placed_digits import has_number_tokens
from ...trainers import NTLSeq2SeqTrainer, NTLTrainer
from ..model import lora_config
from .job import Job
from .load import load_token_model, number_vocab


def build_trainer(job: Job) -> NTLTrainer | NTLSeq2SeqTrainer:
    """An `NTLTrainer`; see `trainer_for`."""
    loaded = load_token_model(job.config, job.model_args, job.token_args, job.system_args, job.args)
    encoder_class = PlacedDigitEncoder if has_number_tokens(loaded.tokenizer) else TextEncoder
    job.encode(encoder_class(loaded.tokenizer, job.is_encoder_decoder, job.args.max_length))
    trainer_class = NTLSeq2SeqTrainer if job.is_encoder_decoder else NTLTrainer
    return trainer_class(
        model=loaded.model,
        args=job.args,
        train_dataset=job.train_dataset,
        eval_dataset=job.eval_dataset,
        data_collator=right_padding_collator(loaded.tokenizer),
        processing_class=loaded.tokenizer,
        number_vocab=number_vocab(loaded.tokenizer, job.system_args, job.args),
        peft_config=lora_config(loaded, job.model_args, job.token_args, job.args.ntl_digits_only),
    )
