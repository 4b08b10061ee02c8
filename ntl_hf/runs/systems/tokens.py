"""Numbers as tokens: the model as it is, or as a Regression Transformer."""

from typing import Any

from transformers import set_seed

from ...data import TextEncoder, check_text_columns, right_padding_collator
from ...systems.regression_transformer.model import load_regression_transformer
from ...systems.regression_transformer.places import PlacedDigitEncoder, place_value_vocab
from ...systems.regression_transformer.tokenizer import regression_transformer_tokenizer
from ...tokens.number_vocab import NumberVocab
from ...tokens.placed_digits import NumberTokens, has_number_tokens, number_token_ids
from ...trainers import NTLSeq2SeqTrainer, NTLTrainer
from ...trainers.checks import check_placed_digits
from ..job import Job
from ..model import Loaded, auto_class_of, load_model, load_tokenizer, lora_config, model_kwargs, system_name


def build_trainer(job: Job) -> NTLTrainer | NTLSeq2SeqTrainer:
    """An `NTLTrainer` on a model of `system: standard` or `rt`.

    Raises:
        ValueError: settings that contradict each other or the model; `OSError`: there is no such model.
    """
    check_text_columns(job.train_dataset, job.is_encoder_decoder)
    loaded = load_token_model(job)
    encoder_class = PlacedDigitEncoder if has_number_tokens(loaded.tokenizer) else TextEncoder
    job.encode(encoder_class(loaded.tokenizer, job.is_encoder_decoder, job.args.max_length))
    trainer_class = NTLSeq2SeqTrainer if job.is_encoder_decoder else NTLTrainer
    return trainer_class(data_collator=right_padding_collator(loaded.tokenizer), **trainer_arguments(loaded, job))


def load_token_model(job: Job, **kwargs: Any) -> Loaded:
    """Load tokenizer and model of `system: standard` or `rt`; errors as of `build_trainer`."""
    if job.system_args.system == "rt" and system_name(job.config) != "rt":
        return _load_rt(job, **kwargs)
    loaded = load_model(auto_class_of(job.config), job, **kwargs)
    # The trainer looks for them as well, but some trainers tokenize the rows first.
    NumberVocab.from_tokenizer(loaded.tokenizer, job.args.ntl_digits_only)
    return loaded


def trainer_arguments(loaded: Loaded, job: Job) -> dict[str, Any]:
    """What the trainers for number tokens are made from, whichever they are.

    Raises:
        ValueError: a number loss that these tokens cannot have.
    """
    check_placed_digits(job.args.get_ntl_config(), loaded.tokenizer)
    number_vocab = None  # which leaves it to the trainer to find them in the tokenizer
    if job.system_args.rt_place_values:
        if job.args.ntl_weight == 0:
            raise ValueError(
                "`rt_place_values` is for the number loss, whose `ntl_weight` is 0: remove one of the two."
            )
        number_vocab = place_value_vocab(loaded.tokenizer, job.args.ntl_squash_factor)
    arguments = job.trainer_arguments(loaded.model, loaded.tokenizer, lora_config(loaded, job))
    return {**arguments, "number_vocab": number_vocab}


def _load_rt(job: Job, **kwargs: Any) -> Loaded:
    if job.token_args.add_digit_tokens or job.token_args.split_digits:
        raise ValueError("`system: rt` has digit tokens of its own: remove `add_digit_tokens` and `split_digits`.")
    low, high = job.system_args.rt_places
    tokenizer = regression_transformer_tokenizer(load_tokenizer(job), (low, high))
    set_seed(job.args.seed)
    model = load_regression_transformer(
        job.model_name,
        NumberTokens.from_tokenizer(tokenizer),
        tokenizer_size=len(tokenizer),
        encoding=job.system_args.rt_encoding,
        largest=job.system_args.rt_largest,
        from_scratch=job.model_args.from_scratch,
        **{**model_kwargs(job), **kwargs},
    )
    return Loaded(model, tokenizer, number_token_ids(tokenizer))
