"""How a cell is scored: the arguments of `ntl_hf.runs.evaluate` for it."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..evaluation import check_libraries
from ..settings.errors import UsageError, did_you_mean
from .cells import Cell
from .settings import parse


def check_evaluations(cells: Sequence[Cell]) -> None:
    """Raise `UsageError` for an evaluation that would be refused after the training, or has not what it needs."""
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
    """What one evaluation of one cell is run with: the recipe's own data, and what the evaluation sets.

    Raises:
        UsageError: an unknown key, or a value that is refused.
    """
    from ..settings.recipes import fields_of

    script: Any = import_module("..runs.evaluate", __package__)
    known = fields_of(script.ARGUMENT_CLASSES)
    for key in cell.evaluations[name]:
        if key not in known:
            raise UsageError(f"evaluation '{name}': unknown key '{key}'.{did_you_mean(key, known)}")
    recipe = {k: v for k, v in cell.recipe.items() if k in known and k not in script.TRAINING_KEYS}
    # An evaluation that was killed may have left its files; one that is finished is not run again.
    own = {
        "model_name_or_path": str(cell.folder),
        "output_dir": str(cell.evaluation_folder(name)),
        "overwrite_output_dir": True,
    }
    return parse(script.ARGUMENT_CLASSES, {**recipe, **cell.evaluations[name], **own}, f"evaluation '{name}'")
