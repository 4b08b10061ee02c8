"""The quickstart as a comparison: two variants on paired seeds, for each of the tasks."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..metric_labels import HIGHER, LOWER, MetricLabel
from ..plan import Plan

# Name -> weight of the number loss. Each seed is trained with both, all else equal.
BASELINE, WITH_NTL = "CE", "CE + NTL"
VARIANTS = {BASELINE: 0.0, WITH_NTL: 0.3}
# Files of the output folder.
RESULTS, PICTURE = "quickstart.json", "learning_curves.png"
# Its own metrics: of answers of one width, unreadable ones charged the largest error possible.
LABELS = {
    "exact_match": MetricLabel("Exact match (%)", HIGHER, percent=True, decimals=1),
    "mae": MetricLabel("MAE", LOWER, decimals=2),
    "median_ae": MetricLabel("Median abs. error", LOWER, decimals=1),
    "r2": MetricLabel("R2", HIGHER, decimals=3),
    "ce": MetricLabel("CE (nats/token)", LOWER, decimals=3),
    "number_mass": MetricLabel("Number mass (%)", HIGHER, percent=True, decimals=2),
    "unreadable": MetricLabel("Unreadable (%)", LOWER, percent=True, decimals=1),
}


@dataclass(frozen=True)
class Cell:
    """One training run."""

    task: str
    variant: str
    seed: int


@dataclass(frozen=True)
class Settings:
    """Sizes that take about three minutes in all on two CPU cores; chosen on the scores of CE alone."""

    seeds: int = 3
    steps: int = 800
    batch_size: int = 48
    learning_rate: float = 2e-3
    hidden_size: int = 96
    layers: int = 2
    train_rows: int = 8000
    test_rows: int = 1000
    curve_rows: int = 200  # of the test rows, scored again and again for the learning curves
    evaluations: int = 10

    def cells(self, tasks: list[str]) -> list[Cell]:
        """All runs: the two that share a task and a seed stand side by side."""
        return [Cell(task, name, seed) for task in tasks for seed in range(self.seeds) for name in VARIANTS]

    def training(self) -> dict[str, Any]:
        """The fields of `NTLSFTConfig` that all runs share."""
        return {
            "max_steps": self.steps,
            "per_device_train_batch_size": self.batch_size,
            "per_device_eval_batch_size": 256,
            "learning_rate": self.learning_rate,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.05,
            "weight_decay": 0.01,
            "adam_beta2": 0.98,
            "max_length": None,
            "activation_checkpointing": False,
            "bf16": False,
            "use_cpu": True,
            "eval_strategy": "steps",
            "eval_steps": max(1, self.steps // self.evaluations),
            "logging_strategy": "no",
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
        }


_DEBUG = Settings(
    seeds=2,
    steps=6,
    batch_size=8,
    hidden_size=32,
    layers=1,
    train_rows=64,
    test_rows=32,
    curve_rows=16,
    evaluations=3,
)


def make_settings(seeds: int | None = None, steps: int | None = None, debug: bool = False) -> Settings:
    """The defaults, or those of a debug run (the same path in seconds, scores without meaning), with what is given.

    Raises:
        ValueError: less than one seed or step.
    """
    given = {name: value for name, value in (("seeds", seeds), ("steps", steps)) if value is not None}
    for name, value in given.items():
        if value < 1:
            raise ValueError(f"`--{name}` is {value}; it must be 1 or more.")
    return replace(_DEBUG if debug else Settings(), **given)


def make_plan(task: str, settings: Settings) -> Plan:
    """The comparison on one task, whose name is that of its evaluation, without files: they are generated."""
    return Plan(
        command="sft",
        recipe=Path("quickstart"),
        baseline=BASELINE,
        variants={name: {"ntl_weight": weight} for name, weight in VARIANTS.items()},
        evaluations={task: {}},
        output_dir=Path(),
        settings=settings.training(),
        seeds=tuple(range(settings.seeds)),
        metrics=tuple(LABELS),
    )
