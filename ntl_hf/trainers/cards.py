"""What a trainer tells of its loss and its data, for its card; and pushes to the hub that do not fail in silence."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

from ..losses.balance import Balance
from ..settings.config import FILE_NAME, NTLConfig
from .checkpoints import CHECKPOINTS
from .model_card import CITATION, TAGS, CardFacts, finish_card, section
from .model_systems import card_sections

logger = logging.getLogger(__name__)

# The base of the hub's errors is the one of its HTTP client, which is another package from huggingface_hub 2 on.
HUB_ERRORS = (HfHubHTTPError.__bases__[0], OfflineModeIsEnabled, LocalTokenNotFoundError)


@dataclass(frozen=True)
class RunRecord:
    """What is written beside the weights and into the card, and is compared when the run is resumed.

    Attributes:
        config: the settings of the number loss; None where the model is trained on another loss.
        balance: of the terms, which goes on in a resumed run.
        tags: for the card, where there is no number loss.
    """

    config: NTLConfig | None
    balance: Balance | None = None
    tags: tuple[str, ...] = ()

    @property
    def settings(self) -> NTLConfig:
        """The settings as they are written down: without the number loss, they are those of the weight 0."""
        return NTLConfig(weight=0) if self.config is None else self.config

    def as_finished(self, checkpoint: str | None) -> "RunRecord":
        """With the settings that the weights were trained with, if `checkpoint` is the last of a finished run."""
        if self.config is None or checkpoint is None or not (Path(checkpoint) / FILE_NAME).is_file():
            return self
        return replace(self, config=NTLConfig.load(checkpoint))

    @property
    def card_tags(self) -> tuple[str, ...]:
        """A run with weight 0 is a baseline, and not to be found under the tags of the number loss."""
        return self.tags if self.config is None else TAGS if self.config.weight > 0 else ()

    def card_text(self, model_config: Any) -> tuple[str, str]:
        """What a model is and was trained with, as Markdown, and the paper to cite."""
        about = card_sections(model_config)
        if self.config is None:
            return "\n".join(about), ""
        return "\n".join([*about, section(self.config)]), CITATION


@dataclass
class CardNotes:
    """What the last card was told, which goes into the next one too.

    Attributes:
        was_folder: the base model came from a local folder, which need not be there any more.
        tags: those that were given, and those of the loss.
        dataset_ids: of the hub.
    """

    was_folder: bool
    tags: tuple[str, ...] = ()
    dataset_ids: tuple[str, ...] = ()

    def note(self, given: dict[str, Any], own_tags: tuple[str, ...]) -> str | None:
        """Keep the tags and data sets among the arguments of `create_model_card`; return the name of the data."""
        tags = given.get("tags") or ()
        self.tags = tuple(dict.fromkeys([*([tags] if isinstance(tags, str) else tags), *own_tags]))
        ids = given.get("dataset_name") or given.get("dataset_tags") or ()
        self.dataset_ids = ((ids,) if isinstance(ids, str) else tuple(ids)) or self.dataset_ids
        name = given.get("dataset") or given.get("dataset_name")
        return name if isinstance(name, str) or not name else ", ".join(name)

    def finish(self, trainer: Any, record: RunRecord, path: Path) -> None:
        """Complete a card that transformers, TRL or peft wrote for `trainer`."""
        tags = {*self.tags, *record.card_tags, *getattr(trainer, "_tag_names", ()), "generated_from_trainer"}
        facts = CardFacts(trainer, tags, self.dataset_ids, self.was_folder)
        finish_card(path, facts, *record.card_text(trainer.model.config))


def what_is_left(trainer: Any) -> str:
    """What is saved where of a run that was not pushed, and how to push it."""
    folder, name = trainer.args.output_dir, trainer.hub_model_id
    if name is None:
        return "There is no repository to push to, and nothing was saved; `trainer.save_model()` saves the model."
    return (
        f"The trained model and its card are saved in {folder}: push them with `trainer.push_to_hub()`, or later "
        f"with `hf upload {name} {folder} --exclude '{CHECKPOINTS}'`."
    )


def tell_failed_pushes(trainer: Any) -> None:
    """Pushes during training run in the background, where the stock trainer does not look at their errors."""
    push = getattr(trainer, "push_in_progress", None)
    jobs: list[Any] = [] if push is None else push.jobs
    for job in list(jobs):
        if job.done():
            jobs.remove(job)
            error = None if job.cancelled() else job.exception()
            if error is not None:
                logger.warning("A push to %s failed; training goes on: %s", trainer.hub_model_id, error)
