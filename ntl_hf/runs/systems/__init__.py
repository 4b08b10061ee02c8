"""How a trainer is built for each of the systems by which numbers go through a model."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from .arguments import SYSTEMS, SystemArguments
from .job import Job

__all__ = ["SYSTEMS", "Job", "SystemArguments", "trainer_for"]

_MODULES = {"standard": "tokens", "rt": "tokens", "xval": "xval", "regression_head": "regression_head"}


def trainer_for(job: Job) -> Any:
    """The trainer of a job.

    Raises:
        ValueError: model, tokenizer, data or settings that the system cannot be trained with; `OSError` where
            something is not found.
    """
    build: Callable[[Job], Any] = import_module(f".{_MODULES[job.system_args.system]}", __package__).build_trainer
    return build(job)
