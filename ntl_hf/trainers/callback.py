"""`NTLCallback`: the weight of the number loss as a function of the global step, and pictures at evaluation."""

import math
import warnings
from dataclasses import replace
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..losses.balance import Balance
from ..settings.config import NTLConfig
from .plots import EvaluationPlots


class NTLCallback(TrainerCallback):
    """Schedules the weight of the number loss, has its balance brought up to date, and pictures drawn at evaluation.

    The factor depends on the global step and the number of steps alone, so a resumed run goes on exactly where it
    was. The trainers add this callback themselves, from `NTLConfig.weight_schedule` and `NTLConfig.warmup_steps`; one
    that is passed in `callbacks=[...]` takes precedence over both.

    Args:
        weight_schedule: "constant", "linear" or "cosine"; the last two decay to 0 at the last step. None takes the
            trainer's setting.
        warmup_steps: steps over which the factor rises linearly from 0; below 1, a fraction of all steps. None takes
            the trainer's setting.
        plots: whether the trainers of this package draw what the model believes of digits at every evaluation, into
            `plots/` of the output folder and for the trackers of `report_to`. None takes the arguments' `ntl_plots`.

    Attributes:
        factor: of the weight, in the step that is being made.
        balance, pictures: of the trainer of this package that the callback belongs to, if it has them.

    Raises:
        ValueError: unknown schedule, or negative or non-finite warm-up; when another trainer starts to train, if
            `plots` is set.
    """

    def __init__(
        self, weight_schedule: str | None = None, warmup_steps: float | None = None, plots: bool | None = None
    ) -> None:
        given = {"weight_schedule": weight_schedule, "warmup_steps": warmup_steps}
        self._given: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self.plots = plots
        self.factor = 1.0
        self.balance: Balance | None = None
        self.pictures: EvaluationPlots | None = None
        self.resolve(NTLConfig())

    def resolve(self, config: NTLConfig) -> NTLConfig:
        """Take what was not given from a trainer's settings, and return the settings that are then in force."""
        config = replace(config, **self._given)
        self.weight_schedule, self.warmup_steps = config.weight_schedule, config.warmup_steps
        return config

    def factor_at(self, step: int, total_steps: int) -> float:
        """The factor of the weight, 0 to 1, for the optimizer step that follows `step` finished ones."""
        warmup = self.warmup_steps if self.warmup_steps >= 1 else math.ceil(self.warmup_steps * total_steps)
        if step < warmup:
            return step / warmup
        if self.weight_schedule == "constant":
            return 1.0
        progress = min(1.0, (step - warmup) / max(1, total_steps - warmup))
        return 1.0 - progress if self.weight_schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * progress))

    def on_train_begin(self, args: TrainingArguments, *rest: Any, **kwargs: Any) -> None:
        if self.pictures is not None and args.eval_strategy == "no":
            warnings.warn("The plots are drawn at evaluations, and `eval_strategy` is 'no': this training draws none.")
        if self.plots and self.pictures is None:
            raise ValueError(
                "`NTLCallback(plots=True)` draws for `NTLTrainer`, `NTLSeq2SeqTrainer` and `NTLSFTTrainer`, which "
                "gather what there is to draw. With another trainer, leave `plots` out."
            )

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.factor = self.factor_at(state.global_step, state.max_steps)

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        if self.balance is not None:
            self.balance.step()

    def on_evaluate(self, *args: Any, metrics: dict[str, float] | None = None, **kwargs: Any) -> None:
        if self.pictures is not None:
            self.pictures.draw(metrics or {})
