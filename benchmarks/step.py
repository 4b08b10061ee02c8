"""A whole training step, with the real trainers: batch, forward, backward, clipping and optimizer.

Run `python -m benchmarks.step --preset targets --data FOLDER_OF_GSM8K`.
"""

from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import TrainerCallback

from .measure import Budget, Measurement, PeakMemory, now
from .script import Plan, Script, main
from .step_models import FROM_FOLDER, make_task
from .step_models import why_not as why_no_task
from .step_trainers import TRAINERS, make_trainer


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        name: of the case.
        model: a name of `step_models.CONFIGS`, or `FROM_FOLDER`.
        rows: of a batch; one batch is one step.
        length: tokens of a row, or the most of them where the data are text.
        labelled: share of the tokens that has a label; of text, the completion has labels, and this is None.
        dtype: of the model; with bfloat16, autocast is on as well.
        lora: train an adapter.
        gradient_checkpointing: `activation_checkpointing` of the trainers.
    """

    name: str
    model: str
    rows: int = 2
    length: int = 1024
    labelled: float | None = 1.0
    dtype: str = "float32"
    lora: bool = False
    gradient_checkpointing: bool = False


_GPU: dict[str, Any] = {"rows": 4, "length": 2048, "dtype": "bfloat16", "lora": True, "gradient_checkpointing": True}
SMALL = (Case("two-layers", "two-layers"), Case("two-layers, half masked", "two-layers", labelled=0.5))
TEXT = Case(FROM_FOLDER, FROM_FOLDER, 4, 256, labelled=None, dtype="bfloat16", lora=True, gradient_checkpointing=True)
LARGE = (Case("llama-1b", "llama-1b", **_GPU), Case("granite-2b", "granite-2b", **_GPU))
QUICK = (
    Case("two-layers", "tiny", length=32),
    Case("two-layers, half masked", "tiny", length=32, labelled=0.5),
)
SFT_PAIR = ["SFTTrainer", "NTLSFTTrainer"]
SFT = [*SFT_PAIR, "SFTTrainer+ntloss"]


def plan(preset: str, device: torch.device, options: dict[str, Any]) -> Plan:
    if preset == "quick":
        return [(QUICK[0], list(TRAINERS)), (QUICK[1], [*SFT_PAIR, "Trainer"])]
    if preset == "targets":
        large = [(case, SFT) for case in LARGE] if device.type == "cuda" else []
        return [(SMALL[0], SFT), (SMALL[1], SFT_PAIR), (TEXT, SFT_PAIR), *large]
    synthetic = [*SMALL, *(LARGE if device.type == "cuda" else ())]
    return [*((case, list(TRAINERS)) for case in synthetic), (TEXT, SFT)]


def why_not(case: Case, contender: str, device: torch.device, options: dict[str, Any]) -> str | None:
    return TRAINERS[contender].why_not() or why_no_task(case, options)


def measure_case(
    case: Case, contender: str, device: torch.device, options: dict[str, Any], budget: Budget
) -> Measurement:
    if case.labelled is None:
        # The batches of text differ, so that all contenders have to take the same ones.
        budget = replace(budget, least=budget.most)
    steps = 1 + budget.most
    meter = _StepMeter(device, budget)
    with TemporaryDirectory() as folder:
        trainer = make_trainer(
            TRAINERS[contender], make_task(case, steps, device, options), case, folder, steps, device
        )
        trainer.add_callback(meter)
        trainer.train()
    return meter.measurement(trainer.state.log_history[0]["loss"])


class _StepMeter(TrainerCallback):
    """Times from the end of one step to the end of the next; the first one warms up and is not counted."""

    def __init__(self, device: torch.device, budget: Budget) -> None:
        self._device, self._budget = device, budget
        self._seconds: list[float] = []
        self._memory: PeakMemory | None = None
        self._peak_mib = self._last = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._last = now(self._device)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        seconds = now(self._device) - self._last
        if self._memory is None:
            self._runs = self._budget.runs(seconds)
            self._memory = PeakMemory(self._device)
        else:
            self._seconds.append(seconds)
            self._peak_mib = self._memory.peak_mib
        control.should_training_stop |= len(self._seconds) >= self._runs
        self._last = now(self._device)

    def on_log(self, *_: Any, **__: Any) -> None:
        # The log after the first step is for the loss; it is no part of the second.
        self._last = now(self._device)

    def measurement(self, loss: float) -> Measurement:
        if self._memory is None:
            raise RuntimeError("The trainer did not take a step.")
        return Measurement(self._seconds, self._memory.baseline_mib, self._peak_mib, loss, self._memory.method)


SCRIPT = Script(
    name="step",
    case_type=Case,
    plan=plan,
    objective=lambda contender: TRAINERS[contender].objective,
    why_not=why_not,
    measure=measure_case,
    options=(
        ("model", "models/smollm2-135m", f"folder of the model of the case {FROM_FOLDER}"),
        ("data", "data/gsm8k", "folder with GSM8K's train.jsonl, for the same case"),
    ),
)

if __name__ == "__main__":
    main(SCRIPT)
