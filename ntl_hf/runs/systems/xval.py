"""xVal: one token for all numbers, scaled by the value, and a number head."""

from typing import Any

from transformers import set_seed

from ...systems.trainer import NumberHeadTrainer
from ...systems.xval.model import load_xval
from ...systems.xval.text import NUM_TOKEN, XValEncoder, xval_tokenizer
from ..model import Loaded, load_model, load_tokenizer, lora_config, model_kwargs
from .job import Job
from .load import auto_class_of, system_name
from .number_head import check_options, make_scaling, make_trainer, numbers_in


def build_trainer(job: Job) -> NumberHeadTrainer:
    """A `NumberHeadTrainer` on an xVal model; see `trainer_for`."""
    check_options(job)
    if job.token_args.split_digits:
        raise ValueError("`split_digits` has nothing to split: `system: xval` writes every number as one token.")
    tokenizer = load_tokenizer(job.model_args, job.args)
    goes_on = system_name(job.config) == "xval"
    tokenizer = tokenizer if goes_on else xval_tokenizer(tokenizer)
    job.encode(XValEncoder(tokenizer, job.is_encoder_decoder, job.args.max_length))
    loaded = (
        load_model(auto_class_of(job.config), job.model_args, job.token_args, job.args)
        if goes_on
        else _begin(job, tokenizer)
    )
    return make_trainer(job, loaded.model, tokenizer, _lora_config(job, loaded))


def _begin(job: Job, tokenizer: Any) -> Loaded:
    num_id = tokenizer.convert_tokens_to_ids(NUM_TOKEN)
    values = numbers_in(job.train_dataset, num_id)
    scaling = make_scaling(job.system_args.number_scaling or "range", job.train_dataset, values)
    set_seed(job.args.seed)
    model = load_xval(
        str(job.model_args.model_name_or_path),
        num_id,
        tokenizer_size=len(tokenizer),
        scaling=scaling,
        number_weight=job.system_args.number_weight,
        from_scratch=job.model_args.from_scratch,
        **model_kwargs(job.model_args, job.args),
    )
    return Loaded(model, tokenizer, [num_id])


def _lora_config(job: Job, loaded: Loaded) -> Any:
    config = lora_config(loaded, job.model_args, job.token_args, job.args.ntl_digits_only)
    if config is not None:
        config.modules_to_save = sorted({*(config.modules_to_save or ()), "number_head"})
    return config
