"""The quickstart as a comparison, from its file: two variants on paired seeds, for each of the tasks."""

from dataclasses import dataclass
from pathlib import Path

from ...settings.recipe_reader import read_recipe
from ..metric_labels import make_labels
from ..plan import Plan, Settings

_CONTENT = read_recipe(Path(__file__).with_name("comparison.yaml"))
BASELINE, WITH_NTL = _CONTENT["variants"]
VARIANTS: dict[str, float] = {name: each["ntl_weight"] for name, each in _CONTENT["variants"].items()}
LABELS = make_labels(_CONTENT["metrics"])
# Files of the output folder.
RESULTS, PICTURE = "quickstart.json", "learning_curves.png"


@dataclass(frozen=True)
class Cell:
    """One training run."""

    task: str
    variant: str
    seed: int


def make_cells(tasks: list[str], seeds: int) -> list[Cell]:
    """All runs: the two that share a task and a seed stand side by side."""
    return [Cell(task, name, seed) for task in tasks for seed in range(seeds) for name in VARIANTS]


def make_settings(seeds: int | None = None, steps: int | None = None, debug: bool = False) -> Settings:
    """The sizes of the file, or those of a debug run, with what is given.

    Raises:
        ValueError: less than one seed or step.
    """
    given = {name: value for name, value in (("seeds", seeds), ("steps", steps)) if value is not None}
    for name, value in given.items():
        if value < 1:
            raise ValueError(f"`--{name}` is {value}; it must be 1 or more.")
    return {**_CONTENT["sizes"], **(_CONTENT["debug"] if debug else {}), **given}


def training_settings(settings: Settings) -> Settings:
    """The fields of `NTLSFTConfig` that all runs of these sizes share."""
    return {
        **_CONTENT["settings"],
        "max_steps": settings["steps"],
        "per_device_train_batch_size": settings["batch_size"],
        "learning_rate": settings["learning_rate"],
        "eval_steps": max(1, settings["steps"] // settings["evaluations"]),
    }


def make_plan(task: str) -> Plan:
    """The comparison on one task, whose name is that of its evaluation, without files: they are generated."""
    return Plan(
        command=_CONTENT["command"],
        recipe=Path("quickstart"),
        baseline=BASELINE,
        variants=_CONTENT["variants"],
        evaluations={task: {}},
        output_dir=Path(),
        metrics=tuple(LABELS),
    )
