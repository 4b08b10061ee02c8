"""`NTLAxolotlTrainer`: Axolotl's trainer with the number loss."""

from typing import Any, ClassVar

from axolotl.core.trainers import AxolotlTrainer
from axolotl.core.trainers.constants import TOKENS_STATE_FILE
from transformers import Trainer

from ..settings.config import NTLConfig
from ..trainers.checkpoints import checkpoint_folder
from ..trainers.plain import NTLPlainMixin


class _BelowAxolotl(NTLPlainMixin, Trainer):  # type: ignore[misc]
    """The methods that AxolotlTrainer calls with `super()`, after its own preparation."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # AxolotlTrainer has put its token counts into the folder, which is cleared when a checkpoint begins.
        path = checkpoint_folder(self._get_output_dir(trial), self.state.global_step) / TOKENS_STATE_FILE
        self.accelerator.wait_for_everyone()
        keep = self.args.should_save and getattr(self.args, "include_tkps", False) and path.is_file()
        counts = path.read_text(encoding="utf-8") if keep else None
        super()._save_checkpoint(model, trial)
        if counts is not None and path.parent.is_dir():
            path.write_text(counts, encoding="utf-8")


class NTLAxolotlTrainer(AxolotlTrainer, _BelowAxolotl):
    """`AxolotlTrainer` with CE + weight * NTL.

    The number loss stands between Axolotl's trainer and that of transformers, in place of the latter's `compute_loss`:
    sample packing, token counts and what Axolotl does to the inputs of some models stay as they are.

    Takes the arguments of `AxolotlTrainer`. See `NTLMixin` for errors.
    """

    ntl_settings: ClassVar[NTLConfig] = NTLConfig()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, ntl_config=self.ntl_settings, **kwargs)
        # AxolotlTrainer unsets it for models whose forward does not name `num_items_in_batch`; the loss is divided by
        # the counts of the whole step all the same.
        self.model_accepts_loss_kwargs = True


def trainer_class(config: NTLConfig) -> type[NTLAxolotlTrainer]:
    """An `NTLAxolotlTrainer` with these settings: Axolotl takes a class from a plugin, and makes the trainer."""
    return type(NTLAxolotlTrainer.__name__, (NTLAxolotlTrainer,), {"ntl_settings": config})
