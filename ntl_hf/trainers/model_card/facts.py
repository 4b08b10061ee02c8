"""`CardFacts`: base model, data and metrics of a run, read from its trainer for its model card."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

_HUB_FILE = re.compile(r"hf://datasets/([^@]+?)(?:@|$)")
# How long an evaluation took and how much it read is no quality of a model.
_NO_METRICS = ("runtime", "per_second", "_time", "num_tokens")


@dataclass(frozen=True)
class DataFacts:
    """A data set: its ids on the hub, the name to show, its split, and how many examples the trainer sees of it."""

    ids: tuple[str, ...]
    name: str | None
    split: str | None
    examples: int | None


class CardFacts:
    """What a card tells of a run, read from its trainer before, in or after training.

    Args:
        trainer: any of this package; its `data_name` is what to call the data, an id of the hub or any name.
        tags: for the card.
        dataset_ids: of the hub; without them, they are found in the data sets, which know where they were loaded from.
        was_folder: the base model came from a local folder, which need not be there any more.

    Attributes:
        name: of the model, where the card has none.
        base_model: its id on the hub; None for one from a folder, or made from a configuration.
        is_from_folder: whether the base model came from a local folder.
        is_adapter: whether the saved weights are an adapter.
        task: "text-generation", "fill-mask" or "text-classification".
        is_decoder: whether that is a decoder's text generation, which the hub's widget can do.
        tags: to be on the card beside those that are there.
        training, evaluation: the data.
        metrics: of the last evaluation, under the names of the log (`eval_loss`, ...); finite values only.
        step: the optimizer step of that evaluation.
    """

    def __init__(self, trainer: Any, tags: set[str], dataset_ids: tuple[str, ...], was_folder: bool) -> None:
        model = trainer.accelerator.unwrap_model(trainer.model)
        base = getattr(model.config, "_name_or_path", None) or ""
        self.name = os.path.basename(str(trainer.args.hub_model_id or os.path.abspath(trainer.args.output_dir)))
        self.base_model = None if was_folder else hub_id(base)
        self.is_from_folder = bool(base) and self.base_model is None
        self.is_adapter = hasattr(model, "peft_config")
        self.task = _task(model)
        self.is_decoder = self.task == "text-generation" and not model.config.is_encoder_decoder
        self.tags = tags
        ids = tuple(filter(hub_id, dataset_ids))
        self.training = _data_facts(trainer.train_dataset, trainer.data_name, ids)
        self.evaluation = _data_facts(trainer.eval_dataset, trainer.data_name, ids)
        self.step, self.metrics = last_evaluation(trainer)

    @property
    def dataset_ids(self) -> list[str]:
        """The hub's data sets, each once, those of training first."""
        sets = [each for each in (self.training, self.evaluation) if each is not None]
        return list(dict.fromkeys(name for each in sets for name in each.ids))


def hub_id(name: Any) -> str | None:
    """`name` if the hub would take it for the id of a repository; None for local paths, which it refuses."""
    if not isinstance(name, str) or os.path.exists(name):
        return None
    try:
        validate_repo_id(name)
    except HFValidationError:
        return None
    return name


def is_from_folder(model: Any) -> bool:
    """Whether a model was loaded from a local folder. To be asked early: the folder may be gone when it ends."""
    return os.path.isdir(getattr(model.config, "_name_or_path", None) or "")


def _task(model: Any) -> str:
    architectures = " ".join([type(model).__name__, *(getattr(model.config, "architectures", None) or ())])
    if "SequenceClassification" in architectures:
        return "text-classification"
    return "fill-mask" if "MaskedLM" in architectures else "text-generation"


# ---- Data ----


def _data_facts(dataset: Any, name: str | None, ids: tuple[str, ...]) -> DataFacts | None:
    if dataset is None:
        return None
    sets = list(dataset.values()) if isinstance(dataset, Mapping) else [dataset]
    named = (name,) if name and "/" in name and hub_id(name) else ()
    ids = ids or tuple(dict.fromkeys(each for one in sets for each in _downloaded_from(one))) or named
    shown = ", ".join(ids) or (_last_part(name) if name else None)
    splits = [str(one.split) for one in sets if getattr(one, "split", None) is not None]
    examples = [len(one) for one in sets if hasattr(one, "__len__")]
    return DataFacts(ids, shown, splits[0] if len(splits) == 1 else None, sum(examples) if examples else None)


def _last_part(name: str) -> str:
    """Of a path or an address, which say where the data were, on whose machine and with which key."""
    return re.split(r"[\\/]", urlsplit(name).path.rstrip("\\/") if "://" in name else name.rstrip("\\/"))[-1]


def _downloaded_from(dataset: Any) -> list[str]:
    files = getattr(getattr(dataset, "info", None), "download_checksums", None) or {}
    found = [_HUB_FILE.match(str(file)) for file in files]
    return [match[1] for match in found if match]


# ---- Metrics ----


def last_evaluation(trainer: Any) -> tuple[int | None, dict[str, float]]:
    """The step and the finite metrics (`eval_...`) of the last evaluation or, if it was loaded, of the best model."""
    state, history = trainer.state, trainer.state.log_history
    evaluations = [i for i, entry in enumerate(history) if any(key.startswith("eval_") for key in entry)]
    if not evaluations:
        return None, {}
    step, since = history[evaluations[-1]].get("step"), 0
    ends = [i for i, entry in enumerate(history) if "train_runtime" in entry]
    if ends and trainer.args.load_best_model_at_end and state.best_global_step:
        # What was evaluated since then is the best model too, whatever step is logged.
        since = ends[-1] if evaluations[-1] > ends[-1] else 0
        step = step if since else state.best_global_step
    # Several evaluation sets have an entry each.
    entries = [history[i] for i in evaluations if i >= since and history[i].get("step") == step]
    metrics = {key: float(value) for entry in entries for key, value in entry.items() if _is_metric(key, value)}
    return state.best_global_step if since else step, metrics


def _is_metric(name: str, value: Any) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    return is_number and name.startswith("eval_") and not name.endswith(_NO_METRICS)
