"""Reading a recipe and its overrides into argument classes, with errors of one line."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, NoReturn

import yaml
from trl import TrlParser

from .errors import UsageError


class RecipeParser(TrlParser):
    """TRL's parser (`--config recipe.yaml` and overrides) that refuses unknown keys with the nearest known one.

    Args:
        ignored: keys of a recipe that are for another command, and passed over.
        kwargs: for `argparse.ArgumentParser`.

    Raises:
        UsageError: from `parse`, whatever is wrong with the arguments.
    """

    def __init__(self, dataclass_types: Iterable[Any], ignored: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(dataclass_types, **kwargs)
        self._ignored = ignored

    def parse(self, argv: Sequence[str]) -> tuple[Any, ...]:
        """Parse the arguments into one instance of each dataclass."""
        argv = [part for word in argv for part in _split_flag(word)]
        self._check_flags(argv)
        if "--config" in argv:
            self._check_recipe(argv)
        try:
            return self.parse_args_and_config(argv)
        except (ValueError, TypeError, OSError) as error:
            raise UsageError(str(error)) from error

    def set_defaults_with_config(self, **values: Any) -> list[str]:
        return super().set_defaults_with_config(**{k: v for k, v in values.items() if k not in self._ignored})

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def _check_flags(self, argv: Sequence[str]) -> None:
        known = {flag for action in self._actions for flag in action.option_strings} | {"--config"}
        for flag in argv:
            if flag.startswith("--") and flag not in known:
                raise UsageError(_unknown(f"unknown option {flag}", flag, known))

    def _check_recipe(self, argv: Sequence[str]) -> None:
        position = argv.index("--config") + 1
        if position == len(argv):
            raise UsageError("--config needs a recipe: a file, or a name that `ntl-hf recipes` lists.")
        path = argv[position]
        actions = {action.dest: action for action in self._actions}
        for key, value in _load(path).items():
            if key in self._ignored:
                continue
            if key not in actions and key != "env":
                raise UsageError(_unknown(f"{path} has an unknown key '{key}'", str(key), actions))
            # argparse checks the choices of what is typed, not of defaults, which a recipe's values become.
            choices = [str(c) for c in getattr(actions.get(key), "choices", None) or ()]
            if choices and value is not None and str(value) not in choices:
                hint = " (YAML reads an unquoted no as false)" if value is False else ""
                raise UsageError(f"{path}: '{key}' is {value!r}{hint}; choose one of: {', '.join(choices)}.")


def _load(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            recipe = yaml.safe_load(file)
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(recipe, dict):
        raise UsageError(f"{path} must hold keys and values, one `key: value` a line.")
    return recipe


def _unknown(what: str, key: str, known: Iterable[str]) -> str:
    near = get_close_matches(key, list(known), n=1)
    return f"{what}; did you mean '{near[0]}'?" if near else f"{what}."


def _split_flag(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith("--") and "=" in word else [word]


def fields_of(classes: Iterable[Any]) -> frozenset[str]:
    """The keys that argument classes take."""
    return frozenset(each.name for cls in classes for each in fields(cls))
