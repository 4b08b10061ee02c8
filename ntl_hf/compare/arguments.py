"""Settings on their way to the argument classes: what a comparison sets over a recipe, and the command line."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from ..settings.errors import UsageError
from ..settings.redaction import redacted
from .plan import RESERVED, Plan, Settings, nearest


def parse(classes: Any, recipe: Settings, where: str, words: Sequence[str] = ()) -> tuple[Any, ...]:
    """The argument classes that a recipe describes.

    Raises:
        UsageError: from the parser; `where` takes the place of the recipe's path in the message.
    """
    from ..settings.recipes import RecipeParser

    known = known_keys(classes)
    for key in recipe:
        if key not in known and key != "env":
            raise UsageError(f"{where}: unknown key '{key}'.{nearest(key, known)}")
    parser = RecipeParser(classes)
    # What holds a secret goes to the parser as it is, and into no file.
    public = {key: value for key, value in recipe.items() if redacted({key: value}) == {key: value}}
    secret = {key: value for key, value in recipe.items() if key not in public}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        path.write_text(yaml.safe_dump(public, sort_keys=False, allow_unicode=True), encoding="utf-8")
        try:
            variables = secret.pop("env", {})
            if not isinstance(variables, dict):
                raise UsageError("`env` must hold names and values, such as {HF_HUB_OFFLINE: 1}.")
            os.environ.update({str(name): str(value) for name, value in variables.items()})
            parser.set_defaults_with_config(**secret)
            return parser.parse(["--config", str(path), *words])
        except UsageError as error:
            message = str(error)
            text = message.replace(str(path), where) if str(path) in message else f"{where}: {message}"
            raise UsageError(text) from error


def known_keys(classes: Any) -> list[str]:
    """The fields that can be set in a recipe."""
    return [each.name for part in classes for each in fields(part) if each.init]


def read_words(words: Sequence[str], plan: Plan, classes: Any) -> Settings:
    """Options as settings; strings stay strings, which the parser converts as it does those of a command line."""
    from ..settings.recipes import RecipeParser, _split_flag

    lists = {action.dest for action in RecipeParser(classes)._actions if action.nargs in ("+", "*")}
    known = known_keys(classes)
    settings: Settings = {}
    for key, values in _grouped([part for word in words for part in _split_flag(word)]):
        if key in RESERVED:
            raise UsageError(f"--{key} is not for single cells: {RESERVED[key]}.")
        if key not in known:
            raise UsageError(f"unknown option --{key}.{nearest(key, known)}")
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


def _grouped(parts: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    if parts and not parts[0].startswith("--"):
        raise UsageError(f"'{parts[0]}' belongs to no option.")
    starts = [i for i, part in enumerate(parts) if part.startswith("--")]
    for start, end in zip(starts, [*starts[1:], len(parts)], strict=False):
        yield parts[start][2:], list(parts[start + 1 : end])
