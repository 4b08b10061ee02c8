"""`NTLCardMixin`: model cards that the hub accepts, and pushes that do not fail in silence."""

import inspect
import logging
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

from ..settings.redaction import keep_out_of_files
from .model_card import CITATION, TAGS, finish_card, is_from_folder, read_facts, section
from .model_kind import check_has_config
from .model_systems import card_sections

logger = logging.getLogger(__name__)

# The base of the hub's errors is the one of its HTTP client, which is another package from huggingface_hub 2 on.
_HUB_ERRORS = (HfHubHTTPError.__bases__[0], OfflineModeIsEnabled, LocalTokenNotFoundError)


class NTLCardMixin:
    """What the trainers tell of a run in its card, and how they push; needs `_recorded_config`.

    Attributes:
        data_name: what the card calls the data: an id of the hub ("openai/gsm8k") or any name. Data sets that were
            loaded from the hub know where they are from.
    """

    data_name: str | None = None
    _card_tags: tuple[str, ...] = ()
    _card_dataset_ids: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_has_config(self.model)
        # `training_args.bin` lies in every checkpoint, and goes to the hub with it.
        keep_out_of_files(self.args)
        self._base_was_folder = is_from_folder(self.model)

    # ---- The card ----

    def _card_parts(self) -> tuple[str, str]:
        """What the model is and was trained with, and the paper to cite."""
        return "\n".join([*card_sections(self.model.config), section(self._recorded_config)]), CITATION

    def _own_tags(self) -> tuple[str, ...]:
        # A run with weight 0 is a baseline.
        return TAGS if self._recorded_config.weight > 0 else ()

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """As the stock method, and with the settings of the loss, the data, the last metrics and the citation.

        The data's name is `dataset_name` (TRL), `dataset` or the ids `dataset_tags` (transformers), or `data_name`.
        """
        given = inspect.signature(super().create_model_card).bind_partial(*args, **kwargs).arguments
        tags = given.get("tags") or ()
        self._card_tags = tuple(dict.fromkeys([*([tags] if isinstance(tags, str) else tags), *self._own_tags()]))
        self._note_data(given)
        if given.get("model_name") is None:
            given["model_name"] = Path(self.args.hub_model_id or self.args.output_dir).absolute().name
        super().create_model_card(**{**given, "tags": list(self._card_tags)})
        if self.is_world_process_zero():
            self._finish_card(Path(self.args.output_dir) / "README.md")

    def _note_data(self, given: dict[str, Any]) -> None:
        ids = given.get("dataset_name") or given.get("dataset_tags") or ()
        self._card_dataset_ids = ((ids,) if isinstance(ids, str) else tuple(ids)) or self._card_dataset_ids
        name = given.get("dataset") or given.get("dataset_name")
        if name:
            self.data_name = name if isinstance(name, str) else ", ".join(name)

    def _finish_card(self, path: Path) -> None:
        tags = {*self._card_tags, *self._own_tags(), *getattr(self, "_tag_names", ()), "generated_from_trainer"}
        facts = read_facts(self, tags, self.data_name, self._card_dataset_ids, self._base_was_folder)
        finish_card(path, facts, *self._card_parts())

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        # With each adapter peft writes a card, whose tags replace those that were there.
        card = Path(output_dir or self.args.output_dir) / "README.md"
        if card.exists() and hasattr(self.accelerator.unwrap_model(self.model), "peft_config"):
            self._finish_card(card)

    # ---- The hub ----

    def push_to_hub(self, *args: Any, **kwargs: Any) -> Any:
        """As the stock method.

        Raises:
            OSError: the hub cannot be reached or refuses; the message says what is saved where, and how to push it.
        """
        try:
            return super().push_to_hub(*args, **kwargs)
        except _HUB_ERRORS as error:
            raise OSError(f"Pushing to the hub failed. {self._what_is_left()} The error was: {error}") from error

    def _what_is_left(self) -> str:
        folder, name = self.args.output_dir, self.hub_model_id
        if name is None:
            return "There is no repository to push to, and nothing was saved; `trainer.save_model()` saves the model."
        return (
            f"The trained model and its card are saved in {folder}: push them with `trainer.push_to_hub()`, or later "
            f"with `hf upload {name} {folder} --exclude 'checkpoint-*'`."
        )

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        self._tell_failed_pushes()
        if self.is_world_process_zero():
            self._recorded_config.save(self.args.output_dir)
            self.create_model_card(tags=list(self._card_tags))
        super()._push_from_checkpoint(checkpoint_folder)

    def _finish_current_push(self) -> None:
        super()._finish_current_push()
        self._tell_failed_pushes()

    def _tell_failed_pushes(self) -> None:
        """Pushes during training run in the background, where the stock trainer does not look at their errors."""
        push = getattr(self, "push_in_progress", None)
        for job in [] if push is None else list(push.jobs):
            if job.done():
                push.jobs.remove(job)
                error = None if job.cancelled() else job.exception()
                if error is not None:
                    logger.warning("A push to %s failed; training goes on: %s", self.hub_model_id, error)
