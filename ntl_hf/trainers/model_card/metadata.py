"""The YAML block of a model card, in the form that the hub accepts."""

from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from .facts import CardFacts, DataFacts, hub_id

_ADAPTER_TAG = "base_model:adapter:"


def complete_metadata(data: ModelCardData, facts: CardFacts) -> None:
    """Add the facts to the metadata of a card, and take out the local paths that stock cards have.

    `peft` writes the folder of a local base model as `base_model` and as a tag, and the hub refuses such a card;
    `transformers` writes the kind of the files ("generator") as a data set's id.
    """
    data.tags = sorted({tag for tag in data.tags or () if _is_allowed(tag)} | facts.tags)
    if not isinstance(data.base_model, list):
        data.base_model = None if facts.is_from_folder else hub_id(data.base_model) or facts.base_model
    given = [data.datasets] if isinstance(data.datasets, str) else data.datasets or []
    # An id has an owner; the rest is what transformers takes for one.
    ids = [*facts.dataset_ids, *(name for name in given if "/" in name and hub_id(name))]
    data.datasets = list(dict.fromkeys(ids)) or None
    data.library_name = "peft" if facts.is_adapter else data.library_name or "transformers"
    if facts.is_decoder:
        data.pipeline_tag = data.pipeline_tag or "text-generation"
    data.model_name = data.model_name or facts.name
    data.eval_results = _results(facts) or None


def _is_allowed(tag: str) -> bool:
    return not tag.startswith(_ADAPTER_TAG) or hub_id(tag.removeprefix(_ADAPTER_TAG)) is not None


def _results(facts: CardFacts) -> list[EvalResult]:
    evaluated = facts.evaluation or DataFacts((), None, None, None)
    about: dict[str, Any] = {
        "task_type": facts.task,
        # Of several sets, the name of the metric says which one it is of.
        "dataset_type": evaluated.ids[0] if len(evaluated.ids) == 1 else "unknown",
        "dataset_name": evaluated.name or "unknown",
        "dataset_split": evaluated.split,
    }
    return [
        EvalResult(**about, metric_type=name.removeprefix("eval_"), metric_name=name, metric_value=value)
        for name, value in facts.metrics.items()
    ]
