"""`NTLPlotsMixin`: what the model believes of digits, gathered in evaluations and drawn after them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.trainer_utils import EvalLoopOutput

from ..losses.head_output import HeadOutput
from ..plots import check_can_plot
from ..plots.beliefs import FOLDER, DigitBeliefs, numbers_path, save_pictures
from ..plots.sums import BeliefMeter
from ..plots.trackers import PictureTrackers

logger = logging.getLogger(__name__)


class NTLPlotsMixin:
    """Draws pictures at evaluation, if the callback or the arguments ask for them; needs the `ntl_callback`."""

    _beliefs: BeliefMeter | None = None

    def _start_plots(self) -> None:
        """Raise `ValueError` if pictures are wanted and cannot be drawn."""
        self._beliefs = self.ntl_callback.draw_plots = None
        wanted = self.ntl_callback.plots
        if wanted is None:
            wanted = getattr(self.args, "ntl_plots", False)
        if wanted:
            check_can_plot("`ntl_plots`")
            self._finished: dict[str, BeliefMeter] = {}
            self._beliefs = BeliefMeter(self.objective.vocab)
            self._trackers = PictureTrackers(self.args.report_to, self.callback_handler.callbacks)
            self.ntl_callback.draw_plots = self._draw_plots

    def _note_beliefs(self, head: HeadOutput) -> None:
        if self._beliefs is not None and not self.model.training:
            # As for the components: without the rows that fill up the last batch of a distributed evaluation.
            self._beliefs.add(self.accelerator.gather_for_metrics(self._beliefs.sums(head)))

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> EvalLoopOutput:
        if self._beliefs is None:
            return super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
        # A prediction may run inside: from `compute_metrics`, or from another callback before the pictures are drawn.
        outer, self._beliefs = self._beliefs, BeliefMeter(self.objective.vocab)
        try:
            output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
            self._finished[metric_key_prefix] = self._beliefs
        finally:
            self._beliefs = outer
        return output

    def _draw_plots(self, metrics: Mapping[str, float]) -> None:
        """Draw the evaluation that these metrics are from; a picture that fails is no reason to end a training."""
        finished, self._finished = self._finished, {}
        for prefix, meter in finished.items():
            if f"{prefix}_runtime" in metrics and self.is_world_process_zero():
                try:
                    self._draw(prefix, meter.read())
                except Exception as error:  # a full disk, a name that no file can have
                    logger.warning("The plots of %r were not drawn: %s: %s", prefix, type(error).__name__, error)

    def _draw(self, prefix: str, sums: list[float] | None) -> None:
        if sums is None:
            return
        step = self.state.global_step
        beliefs = DigitBeliefs.from_sums(sums, step, prefix)
        folder = Path(self._get_output_dir(getattr(self, "_trial", None))) / FOLDER
        paths = save_pictures(folder, beliefs)
        beliefs.save(numbers_path(folder, beliefs))
        self._trackers.log({f"plots/{prefix}/{name}": path for name, path in paths.items()}, step)
