"""What xVal and the regression head have in common: options that they do not take, and the scale of their numbers."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from datasets import IterableDataset

from ...systems.number_rows import NumberCollator
from ...systems.scaling import NumberScaling
from ...systems.trainer import NumberHeadTrainer
from .job import Job


def check_options(job: Job) -> None:
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


def make_scaling(kind: str, dataset: Any, values: Iterator[float]) -> NumberScaling:
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


def make_trainer(job: Job, model: Any, tokenizer: Any, peft_config: Any) -> NumberHeadTrainer:
    """The trainer of a job whose rows are encoded."""
    return NumberHeadTrainer(
        model=model,
        args=job.args,
        train_dataset=job.train_dataset,
        eval_dataset=job.eval_dataset,
        data_collator=NumberCollator(tokenizer),
        processing_class=tokenizer,
        peft_config=peft_config,
    )


def numbers_in(dataset: Any, num_id: int) -> Iterator[float]:
    """The values of all `[NUM]` tokens, among inputs and labels."""
    for row in dataset:
        inputs = zip(row["input_ids"], row["number_values"], strict=True)
        labels = zip(row["labels"], row["number_labels"], strict=True)
        yield from (value for token_id, value in chain(inputs, labels) if token_id == num_id)
