"""The cells of a comparison: every variant on every seed, with settings that are parsed and checked beforehand."""

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..runs import debug
from ..settings.errors import UsageError
from ..settings.recipe_reader import read_recipe
from ..settings.redaction import redacted
from .arguments import parse, read_words
from .plan import Plan, Settings, slug
from .processes import environment

CELLS, EVALUATION = "cells", "evaluation"

# They say how a run is watched and kept, not what it is.
_NO_MATTER = (
    "output_dir",
    "resume_from_checkpoint",
    "report_to",
    "run_name",
    "disable_tqdm",
    "save_total_limit",
    "env",
    "push_to_hub",
)
# They may be names of the hub or values too. `resume_from_checkpoint` is none of them: it is "auto" for every cell.
_PATHS = (
    "model_name_or_path",
    "data_path",
    "dataset_name",
    "chat_template_path",
    "generation_config",
    "deepspeed",
    "fsdp_config",
    "accelerator_config",
)


@dataclass(frozen=True)
class Cell:
    """One variant on one seed.

    Attributes:
        recipe: all keys and values, as for the command's `--config`; alone with what is secret of them.
        settings: of these, what the run depends on, as they were parsed.
        ntl: the number loss that they ask for, the fields of `NTLConfig`.
        resolved: all settings of the argument classes, defaults too.
    """

    command: str
    variant: str
    seed: int
    folder: Path
    recipe: Settings
    settings: Settings
    ntl: Settings
    resolved: Settings
    evaluations: dict[str, Settings]
    debug: bool = False

    @property
    def public_recipe(self) -> Settings:
        """The recipe without secrets and without `env`, to be written down; local paths hold in any folder."""
        paths = {key: str(Path(self.recipe[key]).absolute()) for key in _PATHS if _is_local(self.recipe.get(key))}
        return dict(redacted({**self.recipe, **paths}))

    @property
    def name(self) -> str:
        """For messages and progress."""
        return f"{self.variant}, seed {self.seed}"

    def evaluation_folder(self, name: str) -> Path:
        """Where the scores and predictions of one evaluation are."""
        return self.folder / EVALUATION / slug(name)


def make_cells(plan: Plan, words: Sequence[str] = ()) -> list[Cell]:
    """All cells, those of one seed side by side.

    Args:
        plan: from `read_plan`.
        words: options of the command line, for all cells: `["--data_path", "FOLDER"]`.

    Raises:
        UsageError: a key is unknown, a value is refused, or an option would undo what the variants differ in.
    """
    script: Any = import_module(f"..runs.{plan.command}", __package__)
    overrides = read_words(words, plan, script.ARGUMENT_CLASSES)
    # What is typed counts more than what a debug run is shrunk to.
    last = {**(debug.TRAINING if plan.debug else {}), **overrides}
    base = read_recipe(plan.recipe)
    # What the argument classes do to the environment, and their warnings, are for the process that trains.
    with environment({}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            _make_cell(plan, script, variant, seed, {**base, **plan.settings, **settings, **last})
            for seed in plan.seeds
            for variant, settings in plan.variants.items()
        ]


def check_evaluations(cells: Sequence[Cell]) -> None:
    """Raise `UsageError` for an evaluation that would be refused after the training, or has not what it needs."""
    from ..evaluation import check_libraries

    try:
        check_libraries()
    except ImportError as error:
        raise UsageError(str(error)) from error
    for cell in cells:
        for name in cell.evaluations:
            _, args = evaluation_arguments(cell, name)
            if args.lm_eval_tasks and find_spec("lm_eval") is None:
                raise UsageError(f"evaluation '{name}': `lm_eval_tasks` need lm_eval: pip install 'ntl-hf[lm-eval]'")


def evaluation_arguments(cell: Cell, name: str) -> tuple[Any, ...]:
    """The arguments of `ntl_hf.runs.evaluate` for one evaluation: the recipe's own data, and what it sets over them.

    Raises:
        UsageError: an unknown key, or a value that is refused.
    """
    from ..settings.recipes import fields_of

    script: Any = import_module("..runs.evaluate", __package__)
    known = fields_of(script.ARGUMENT_CLASSES)
    recipe = {k: v for k, v in cell.recipe.items() if k in known and k not in script.TRAINING_KEYS}
    # An evaluation that was killed may have left its files; one that is finished is not run again.
    own = {
        "model_name_or_path": str(cell.folder),
        "output_dir": str(cell.evaluation_folder(name)),
        "overwrite_output_dir": True,
    }
    return parse(script.ARGUMENT_CLASSES, {**recipe, **cell.evaluations[name], **own}, f"evaluation '{name}'")


def _make_cell(plan: Plan, script: Any, variant: str, seed: int, recipe: Settings) -> Cell:
    folder = plan.output_dir / CELLS / f"{slug(variant)}-seed{seed}"
    # Bars would fill the log; lines are printed instead.
    recipe = {
        "disable_tqdm": True,
        **recipe,
        "seed": seed,
        "output_dir": str(folder),
        "resume_from_checkpoint": "auto",
    }
    where = f"{plan.source}, variant '{variant}'"
    arguments = parse(script.ARGUMENT_CLASSES, recipe, where)
    resolved = _resolve(arguments)
    if resolved.get("push_to_hub"):
        raise UsageError(f"{where}: `push_to_hub` would have every cell overwrite the one before; set it to false.")
    return Cell(
        command=plan.command,
        variant=variant,
        seed=seed,
        folder=folder,
        recipe=recipe,
        settings={key: resolved[key] for key in recipe if key in resolved and key not in _NO_MATTER},
        ntl=asdict(next(part for part in arguments if hasattr(part, "get_ntl_config")).get_ntl_config()),
        resolved=resolved,
        evaluations=plan.evaluations,
        debug=plan.debug,
    )


def _is_local(name: Any) -> bool:
    return isinstance(name, str) and os.path.exists(name)  # False for what is no path, such as long JSON


def _resolve(arguments: tuple[Any, ...]) -> Settings:
    values = {each.name: getattr(part, each.name, None) for part in arguments for each in fields(part)}
    return dict(redacted(json.loads(json.dumps(values, default=_plain))))


def _plain(value: Any) -> Any:
    """What JSON does not know, as something that it does."""
    if isinstance(value, Enum):
        return value.value
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
