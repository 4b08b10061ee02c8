"""A card of transformers, TRL or peft, completed: metadata, settings, data, metrics, citation."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ...settings.config import NTLConfig
from ...settings.losses import LOSS_FACTS
from .facts import CardFacts, DataFacts, hub_id

TAGS = ("ntl", "number-token-loss")

_HUB = "https://huggingface.co"
_PAPER = "[Regress, Don't Guess](https://arxiv.org/abs/2411.02083) (ICML 2025)"
CITATION = """### Citation

Cite the loss as:

```bibtex
@inproceedings{zausinger2025regress,
  title = {Regress, Don't Guess: A Regression-like Loss on Number Tokens for Language Models},
  author = {Zausinger, Jonas and others},
  booktitle = {International Conference on Machine Learning},
  year = {2025},
  url = {https://arxiv.org/abs/2411.02083}
}
```"""

# What stands between these is replaced when a card is written again; the rest may be the user's.
_BEGIN, _END = "<!-- ntl_hf: begin -->", "<!-- ntl_hf: end -->"
_OURS = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
# Stock sentences that are wrong for a base model from a folder ("trained from scratch") or without a name ("[None]").
_ORIGIN = re.compile(
    r"^This model (?:is a fine-tuned version of|was trained from scratch on|was trained with `ntl_hf`).*$",
    re.MULTILINE,
)
_TRAINER_NOTE = "generated automatically according to the information the Trainer had access to"
_ADAPTER_TAG = "base_model:adapter:"
_PEFT_TITLE = "# Model Card for Model ID"
_RESULTS = re.compile(r"^It achieves the following results on the evaluation set:\n(?:- .*\n?)+", re.MULTILINE)


def finish_card(path: Path, facts: CardFacts, about: str, citation: str = "") -> None:
    """Complete a model card: metadata that the hub accepts and, at the end, what the model was trained with.

    Writing it again replaces that part alone.

    Args:
        path: of a card that transformers, TRL or peft wrote, or a user.
        facts: of the run.
        about: the section on the loss or the system, with its heading, see `section`.
        citation: the last paragraph.
    """
    card = ModelCard.load(path)
    is_stock = _BEGIN not in card.text and _is_generated(card)
    _complete_metadata(card.data, facts)
    text = _correct(card.text, card.data.base_model, facts) if is_stock else card.text
    parts = (_BEGIN, about.strip(), data_section(facts), metrics_section(facts), citation, _END)
    ours = "\n\n".join(part for part in parts if part)
    card.text = _OURS.sub(lambda _: ours, text, count=1) if _BEGIN in text else f"{text.rstrip()}\n\n{ours}\n"
    card.save(path)


def _is_generated(card: ModelCard) -> bool:
    """Whether a trainer or peft wrote the text, which may then be corrected."""
    # peft takes the tag out of the card that a trainer wrote before it.
    is_tagged = "generated_from_trainer" in (card.data.get("tags") or ())
    return is_tagged or _TRAINER_NOTE in card.text or _PEFT_TITLE in card.text


def _correct(text: str, base_model: object, facts: CardFacts) -> str:
    """The card of the stock trainer with a true first sentence, and with the model's name where it has None."""
    told = _origin(base_model, facts)
    text = _ORIGIN.sub(lambda _: told, text, count=1)
    if facts.metrics:
        # Of the last evaluation, even where the best model was loaded; ours follow.
        text = _RESULTS.sub("", text)
    text = text.replace('model="None"', f'model="{facts.name}"')
    return text.replace(_PEFT_TITLE, f"# Model Card for {facts.name}")


def _origin(base_model: object, facts: CardFacts) -> str:
    if isinstance(base_model, str):
        told = f"This model is a fine-tuned version of [{base_model}]({_HUB}/{base_model})"
    elif facts.is_from_folder:
        told = "This model is a fine-tuned version of a model from a local folder"
    else:
        told = "This model was trained with `ntl_hf`"
    return f"{told}{'' if facts.training is None or not facts.training.name else f', on {_link(facts.training)}'}."


def _link(data: DataFacts) -> str:
    return ", ".join(f"[{name}]({_HUB}/datasets/{name})" for name in data.ids) or data.name or "not named"


def _complete_metadata(data: ModelCardData, facts: CardFacts) -> None:
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


def section(config: NTLConfig) -> str:
    """The section on the loss and its settings, as Markdown."""
    ce = "Gaussian cross entropy (soft targets for number tokens)" if config.gaussian_sigma > 0 else "cross entropy"
    is_papers = config.loss in LOSS_FACTS and LOSS_FACTS[config.loss].in_paper  # a sum of several is not
    if config.weight > 0 and is_papers:
        told = f"Trained with {ce} + {config.weight:g} * Number Token Loss, see {_PAPER}, with `ntl_hf`:"
    elif config.weight > 0:
        told = f"Trained with {ce} and the number loss `{config.loss}`, after {_PAPER}, with `ntl_hf`:"
    else:
        told = f"Trained with {ce} alone: the weight of the Number Token Loss ({_PAPER}) is 0. With `ntl_hf`:"
    settings = ((f"`{name}`", value) for name, value in asdict(config).items())
    return f"## Number Token Loss\n\n{told}\n\n{_table(('setting', 'value'), settings)}"


def data_section(facts: CardFacts) -> str:
    """The data as a table; empty where there are none. Examples are counted as the trainer sees them, so packed."""
    sets = (("training", facts.training), ("evaluation", facts.evaluation))
    rows = [(use, _link(data) + _split(data), _count(data.examples)) for use, data in sets if data is not None]
    return "" if not rows else f"### Data\n\n{_table(('used for', 'data', 'examples'), rows)}"


def metrics_section(facts: CardFacts) -> str:
    """The metrics of the last evaluation as a table; empty where there was none."""
    if not facts.metrics:
        return ""
    rows = ((f"`{name}`", f"{value:.6g}") for name, value in facts.metrics.items())
    when = "" if facts.step is None else f"After step {facts.step}:\n\n"
    return f"### Evaluation\n\n{when}{_table(('metric', 'value'), rows)}"


def _split(data: DataFacts) -> str:
    return "" if data.split is None else f", split `{data.split}`"


def _count(examples: int | None) -> str:
    return "a stream" if examples is None else str(examples)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
