"""`RunRecord`: what a trainer of this package tells of its loss, beside what any stock trainer writes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..settings.config import FILE_NAME, NTLConfig
from .model_card import CITATION, TAGS, section
from .model_systems import card_sections


@dataclass(frozen=True)
class RunRecord:
    """What is written beside the weights and into the card, and is compared when the run is resumed.

    Attributes:
        config: the settings of the number loss; None where the model is trained on another loss.
        states: what else goes on in a resumed run, each with `save(folder)` and `check(folder)`.
        tags: for the card, where there is no number loss.
    """

    config: NTLConfig | None
    states: tuple[Any, ...] = ()
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
