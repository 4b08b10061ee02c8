"""Trainers of models with a number head: xVal, one token for all numbers, and the regression head, no text."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from datasets import IterableDataset
from peft import TaskType
from transformers import set_seed
from trl import get_peft_config

from ...data import check_text_columns
from ...systems.number_rows import NumberCollator
from ...systems.regression_head import RegressionEncoder, head_name, load_regression_head
from ...systems.scaling import NumberScaling
from ...systems.trainer import NumberHeadTrainer
from ...systems.xval.model import load_xval
from ...systems.xval.text import NUM_TOKEN, XValEncoder, xval_tokenizer
from ..job import Job
from ..model import Loaded, auto_class_of, load_model, load_tokenizer, lora_config, model_kwargs, system_name


def build_xval_trainer(job: Job) -> NumberHeadTrainer:
    """A `NumberHeadTrainer` on an xVal model.

    Raises:
        ValueError: settings, data or a model that it cannot be trained with; `OSError`: there is no such model.
    """
    check_text_columns(job.train_dataset, job.is_encoder_decoder)
    _check_options(job)
    if job.token_args.split_digits:
        raise ValueError("`split_digits` has nothing to split: `system: xval` writes every number as one token.")
    goes_on = system_name(job.config) == "xval"
    tokenizer = load_tokenizer(job)
    tokenizer = tokenizer if goes_on else xval_tokenizer(tokenizer)
    job.encode(XValEncoder(tokenizer, job.is_encoder_decoder, job.args.max_length))
    loaded = load_model(auto_class_of(job.config), job) if goes_on else _begin_xval(job, tokenizer)
    return _make_trainer(job, loaded.model, tokenizer, lora_config(loaded, job), "number_head")


def build_regression_trainer(job: Job) -> NumberHeadTrainer:
    """A `NumberHeadTrainer` on a model for sequence classification with one output; errors as of the one above."""
    _check_options(job)
    tokenizer = load_tokenizer(job)
    job.encode(RegressionEncoder(tokenizer, job.is_encoder_decoder, job.args.max_length))
    if system_name(job.config) == "regression_head":
        model = load_model(auto_class_of(job.config), job).model
    else:
        values = (row["labels"] for row in job.train_dataset)
        scaling = _make_scaling(job.system_args.number_scaling or "none", job.train_dataset, values)
        set_seed(job.args.seed)
        is_new = job.model_args.from_scratch
        model = load_regression_head(job.model_name, tokenizer, scaling, from_scratch=is_new, **model_kwargs(job))
    peft_config: Any = get_peft_config(job.model_args)
    if peft_config is not None:
        peft_config.task_type = TaskType.SEQ_CLS
    # peft knows heads by two names, and T5's by neither.
    return _make_trainer(job, model, tokenizer, peft_config, head_name(model))


def _make_trainer(job: Job, model: Any, tokenizer: Any, peft_config: Any, head: str) -> NumberHeadTrainer:
    if peft_config is not None:
        # Beside the adapter, the new head is trained whole.
        peft_config.modules_to_save = sorted({*(peft_config.modules_to_save or ()), head})
    arguments = job.trainer_arguments(model, tokenizer, peft_config)
    return NumberHeadTrainer(**arguments, data_collator=NumberCollator(tokenizer))


def _begin_xval(job: Job, tokenizer: Any) -> Loaded:
    num_id = tokenizer.convert_tokens_to_ids(NUM_TOKEN)
    values = _numbers_in(job.train_dataset, num_id)
    scaling = _make_scaling(job.system_args.number_scaling or "range", job.train_dataset, values)
    set_seed(job.args.seed)
    model = load_xval(
        job.model_name,
        num_id,
        tokenizer_size=len(tokenizer),
        scaling=scaling,
        number_weight=job.system_args.number_weight,
        from_scratch=job.model_args.from_scratch,
        **model_kwargs(job),
    )
    return Loaded(model, tokenizer, [num_id])


def _check_options(job: Job) -> None:
    """Raise `ValueError` for options of number tokens: there are none that a loss or an adapter could act on."""
    system = job.system_args.system
    if job.args.ntl_weight > 0 or job.args.ntl_gaussian_sigma > 0:
        raise ValueError(
            f"`system: {system}` writes no digits that a number loss could act on: set `ntl_weight: 0` (and leave out "
            "`ntl_gaussian_sigma`)."
        )
    if job.args.ntl_plots:
        raise ValueError(f"`ntl_plots` draws digits, which `system: {system}` does not write: leave it out.")
    for name in ("add_digit_tokens", "train_number_rows"):
        if getattr(job.token_args, name):
            raise ValueError(f"`{name}` is for numbers that are written in digits, which `system: {system}` does not.")
    if getattr(job.args, "predict_with_generate", False):
        raise ValueError(f"`predict_with_generate` is for text alone: leave it out with `system: {system}`.")


def _make_scaling(kind: str, dataset: Any, values: Iterator[float]) -> NumberScaling:
    """The scaling of that kind; "range" by the largest of the numbers in the training rows.

    Raises:
        ValueError: "range" of a stream, which would be read twice, or of rows without any number but 0.
    """
    if kind != "range":
        return NumberScaling(kind)
    if isinstance(dataset, IterableDataset):
        raise ValueError(
            "`number_scaling: range` needs the largest number of all rows, and `streaming` reads them as they come: "
            "take `number_scaling: signed_log`, or leave out `streaming`."
        )
    return NumberScaling.fit(kind, list(values))


def _numbers_in(dataset: Any, num_id: int) -> Iterator[float]:
    """The values of all `[NUM]` tokens, among inputs and labels."""
    for row in dataset:
        inputs = zip(row["input_ids"], row["number_values"], strict=True)
        labels = zip(row["labels"], row["number_labels"], strict=True)
        yield from (value for token_id, value in chain(inputs, labels) if token_id == num_id)
