"""A number head instead of text."""

from typing import Any

from peft import TaskType
from transformers import set_seed
from trl import get_peft_config

from ...systems.regression_head import RegressionEncoder, head_name, load_regression_head
from ...systems.trainer import NumberHeadTrainer
from ...tokens.digit_tokenizer import split_digits
from ..model import load_model, load_tokenizer, model_kwargs
from .job import Job
from .load import auto_class_of, system_name
from .number_head import check_options, make_scaling, make_trainer


def build_trainer(job: Job) -> NumberHeadTrainer:
    """A `NumberHeadTrainer` on a model for sequence classification with one output; see `trainer_for`."""
    check_options(job)
    tokenizer = load_tokenizer(job.model_args, job.args)
    if job.token_args.split_digits:
        tokenizer = split_digits(tokenizer)
    job.encode(RegressionEncoder(tokenizer, job.is_encoder_decoder, job.args.max_length))
    model = _load(job, tokenizer)
    return make_trainer(job, model, tokenizer, _lora_config(job, model))


def _load(job: Job, tokenizer: Any) -> Any:
    if system_name(job.config) == "regression_head":
        return load_model(auto_class_of(job.config), job.model_args, job.token_args, job.args).model
    kind = job.system_args.number_scaling or "none"
    scaling = make_scaling(kind, job.train_dataset, (row["labels"] for row in job.train_dataset))
    set_seed(job.args.seed)
    return load_regression_head(
        str(job.model_args.model_name_or_path),
        tokenizer,
        scaling,
        from_scratch=job.model_args.from_scratch,
        **model_kwargs(job.model_args, job.args),
    )


def _lora_config(job: Job, model: Any) -> Any:
    """An adapter beside which the new head is trained whole: peft knows heads by two names, and T5's by neither."""
    config: Any = get_peft_config(job.model_args)
    if config is None:
        return None
    config.task_type = TaskType.SEQ_CLS
    config.modules_to_save = sorted({*(config.modules_to_save or ()), head_name(model)})
    return config
