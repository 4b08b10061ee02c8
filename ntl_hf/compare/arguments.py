"""Settings on their way to the argument classes: what a comparison sets over a recipe, and the command line."""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from ..settings.errors import UsageError, did_you_mean
from ..settings.recipe_files import split_flags
from .plan import RESERVED, Plan, Settings


def parse(classes: Any, recipe: Settings, where: str) -> tuple[Any, ...]:
    """The argument classes that a recipe describes; its values go through no file, for there are secrets among them.

    Raises:
        UsageError: from the parser; it begins with `where`.
    """
    from ..settings.recipes import RecipeParser

    try:
        return RecipeParser(classes).parse_recipe(recipe, where)
    except UsageError as error:
        message = str(error)
        raise UsageError(message if where in message else f"{where}: {message}") from error


def read_words(words: Sequence[str], plan: Plan, classes: Any) -> Settings:
    """Options as settings; strings stay strings, which the parser converts as it does those of a command line."""
    from ..settings.recipes import RecipeParser, fields_of

    lists = {action.dest for action in RecipeParser(classes)._actions if action.nargs in ("+", "*")}
    known = fields_of(classes)
    settings: Settings = {}
    for key, values in _grouped(words):
        if key in RESERVED:
            raise UsageError(f"--{key} is not for single cells: {RESERVED[key]}.")
        if key not in known:
            raise UsageError(f"unknown option --{key}.{did_you_mean(key, known)}")
        varied = [name for name, own in plan.variants.items() if key in own]
        if varied:
            raise UsageError(f"--{key} would undo what the variant '{varied[0]}' sets; change it in {plan.source}.")
        if key in lists:
            settings[key] = [yaml.safe_load(value) for value in values]
        elif len(values) > 1:
            raise UsageError(f"--{key} takes one value, not {' '.join(values)}.")
        else:
            settings[key] = values[0] if values else True
    return settings


def _grouped(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    parts = split_flags(words)
    if parts and not parts[0].startswith("--"):
        raise UsageError(f"'{parts[0]}' belongs to no option.")
    starts = [i for i, part in enumerate(parts) if part.startswith("--")]
    for start, end in zip(starts, [*starts[1:], len(parts)], strict=False):
        yield parts[start][2:], list(parts[start + 1 : end])
