"""`EvaluationPlots`: what the model believes of digits, gathered in evaluations and drawn after them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..plots import check_can_plot
from ..plots.beliefs import FOLDER, DigitBeliefs, numbers_path, save_pictures
from ..plots.sums import BeliefMeter
from ..plots.trackers import PictureTrackers

logger = logging.getLogger(__name__)


class EvaluationPlots:
    """Draws pictures after evaluations, into `plots/` of the output folder and for the trackers of `report_to`.

    Args:
        trainer: whose evaluations they are.

    Raises:
        ValueError: pictures cannot be drawn.
    """

    def __init__(self, trainer: Any) -> None:
        check_can_plot("`ntl_plots`")
        self._trainer = trainer
        self._finished: dict[str, BeliefMeter] = {}
        self._trackers = PictureTrackers(trainer.args.report_to, trainer.callback_handler.callbacks)

    def keep(self, prefix: str, beliefs: BeliefMeter) -> None:
        """Take what an evaluation has added up; it is drawn when the metrics of that prefix are there."""
        self._finished[prefix] = beliefs

    def draw(self, metrics: Mapping[str, float]) -> None:
        """Draw the evaluation that these metrics are from; a picture that fails is no reason to end a training."""
        finished, self._finished = self._finished, {}
        for prefix, meter in finished.items():
            if f"{prefix}_runtime" in metrics and self._trainer.is_world_process_zero():
                try:
                    self._draw(prefix, meter.read())
                except Exception as error:  # a full disk, a name that no file can have
                    logger.warning("The plots of %r were not drawn: %s: %s", prefix, type(error).__name__, error)

    def _draw(self, prefix: str, sums: list[float] | None) -> None:
        if sums is None:
            return
        trainer, step = self._trainer, self._trainer.state.global_step
        beliefs = DigitBeliefs.from_sums(sums, step, prefix)
        folder = Path(trainer._get_output_dir(getattr(trainer, "_trial", None))) / FOLDER
        paths = save_pictures(folder, beliefs)
        beliefs.save(numbers_path(folder, beliefs))
        self._trackers.log({f"plots/{prefix}/{name}": path for name, path in paths.items()}, step)


def wanted_plots(trainer: Any) -> EvaluationPlots | None:
    """The pictures of a trainer, if its callback or else its arguments ask for them."""
    wanted = trainer.ntl_callback.plots
    if wanted is None:
        wanted = getattr(trainer.args, "ntl_plots", False)
    return EvaluationPlots(trainer) if wanted else None
