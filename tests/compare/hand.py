"""Folders of finished cells, written by hand: the report is a function of these."""

import json
from dataclasses import asdict
from pathlib import Path

from ntl_hf.compare.cell_folder import (
    CELL,
    EVALUATION_SETTINGS,
    METRICS_FILE,
    PREDICTIONS_FILE,
    TRAINING,
)
from ntl_hf.compare.cells import CELLS, Cell
from ntl_hf.compare.plan import Plan, slug
from ntl_hf.settings.config import NTLConfig

VARIANTS = {"CE": {"ntl_weight": 0.0}, "NTL-WAS 0.3": {"ntl_weight": 0.3}}


def make_plan(folder, variants=VARIANTS, **changes):
    given = {
        "command": "train",
        "recipe": Path("recipe.yaml"),
        "baseline": next(iter(variants)),
        "variants": variants,
        "evaluations": {"interpolate": {"dataset_test_split": "interpolate"}},
        "output_dir": folder,
        "seeds": (0, 1),
        "metrics": ("number_accuracy", "mae"),
        "source": "compare.yaml",
    }
    return Plan(**(given | changes))


def make_cell(plan, variant, seed, **changes):
    settings = {"max_steps": 4, "seed": seed, **plan.variants[variant]}
    ntl = {key.removeprefix("ntl_"): value for key, value in settings.items() if key.startswith("ntl_")}
    given = {
        "command": plan.command,
        "variant": variant,
        "seed": seed,
        "folder": plan.output_dir / CELLS / f"{slug(variant)}-seed{seed}",
        "recipe": settings,
        "settings": settings,
        "ntl": asdict(NTLConfig(**ntl)),
        "resolved": settings,
        "evaluations": plan.evaluations,
    }
    return Cell(**(given | changes))


def make_cells(plan):
    return [make_cell(plan, variant, seed) for seed in plan.seeds for variant in plan.variants]


def write_cell(cell, numbers, targets, metrics, log=(), distribution=None):
    """What a finished cell leaves: `numbers` and `targets` of each row, None where there is none to be read."""
    cell.folder.mkdir(parents=True)
    write(cell.folder / "ntl_config.json", cell.ntl)
    write(cell.folder / "trainer_state.json", {"log_history": list(log)})
    write(cell.folder / TRAINING, {"settings": cell.settings, "finished": "2030-01-01T00:00:00+00:00"})
    for name, settings in cell.evaluations.items():
        folder = cell.evaluation_folder(name)
        folder.mkdir(parents=True)
        scores = {key: {"value": value, "low": None, "high": None} for key, value in metrics.items()}
        write(folder / METRICS_FILE, {"metrics": scores, "number_distribution": distribution})
        write_predictions(folder / PREDICTIONS_FILE, numbers, targets)
        write(folder / EVALUATION_SETTINGS, settings)
    write(cell.folder / CELL, {"settings": cell.settings, "versions": {"ntl-hf": "0.1.0"}})


def write_predictions(path, numbers, targets):
    lines = [
        {"row": i, "prompt": "?", "reference": str(true), "prediction": str(given), "target": true, "number": given}
        for i, (given, true) in enumerate(zip(numbers, targets, strict=True))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write(path, content):
    path.write_text(json.dumps(content))
