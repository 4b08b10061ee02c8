"""`RecipeParser`: recipes and their overrides made into argument classes, with errors of one line."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NoReturn

from trl import TrlParser

from .errors import UsageError, as_usage_error, did_you_mean
from .recipe_files import CONFIG, read_recipe, split_flags


class RecipeParser(TrlParser):
    """TRL's parser (`--config recipe.yaml` and overrides) that refuses unknown keys with the nearest known one.

    Args:
        ignored: keys of a recipe that are for another command, and passed over.
        kwargs: for `argparse.ArgumentParser`.

    Raises:
        UsageError: from `parse` and `parse_recipe`, whatever is wrong with the arguments.
    """

    def __init__(self, dataclass_types: Iterable[Any], ignored: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(dataclass_types, **kwargs)
        self._ignored = ignored

    def parse(self, argv: Sequence[str]) -> tuple[Any, ...]:
        """Parse the arguments into one instance of each dataclass."""
        argv = split_flags(argv)
        known = {flag for action in self._actions for flag in action.option_strings} | {CONFIG}
        for flag in argv:
            if flag.startswith("--") and flag not in known:
                raise UsageError(f"unknown option {flag}.{did_you_mean(flag, known)}")
        if CONFIG not in argv:
            return self.parse_recipe({}, "", argv)
        start = argv.index(CONFIG)
        if start + 1 == len(argv):
            raise UsageError(f"{CONFIG} needs a recipe: a file, or a name that `ntl-hf recipes` lists.")
        path, rest = argv[start + 1], [*argv[:start], *argv[start + 2 :]]
        if CONFIG in rest:
            raise UsageError(f"{CONFIG} is given twice; a run has one recipe.")
        return self.parse_recipe(read_recipe(path), path, rest)

    def parse_recipe(self, recipe: Mapping[str, Any], source: str, argv: Sequence[str] = ()) -> tuple[Any, ...]:
        """Parse keys and values, and the arguments that count more, into one instance of each dataclass.

        Args:
            recipe: the content of a recipe's file; the variables of its `env` are set.
            source: what it is called in errors.
            argv: options of the command line.
        """
        recipe = {key: value for key, value in recipe.items() if key not in self._ignored}
        variables = recipe.pop("env", {})
        actions = {action.dest: action for action in self._actions}
        for key, value in recipe.items():
            if key not in actions:
                raise UsageError(f"{source}: unknown key '{key}'.{did_you_mean(key, actions)}")
            # argparse checks the choices of what is typed, not of defaults, which a recipe's values become.
            choices = [str(choice) for choice in actions[key].choices or ()]
            if choices and value is not None and str(value) not in choices:
                hint = " (YAML reads an unquoted no as false)" if value is False else ""
                raise UsageError(f"{source}: '{key}' is {value!r}{hint}; choose one of: {', '.join(choices)}.")
        if not isinstance(variables, dict):
            raise UsageError(f"{source}: `env` must hold names and values, such as {{HF_HUB_OFFLINE: 1}}.")
        os.environ.update({str(name): str(value) for name, value in variables.items()})
        self.set_defaults_with_config(**recipe)
        with as_usage_error(ValueError, TypeError, OSError):
            return self.parse_args_and_config(argv)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def fields_of(classes: Iterable[Any]) -> frozenset[str]:
    """The keys that argument classes take."""
    return frozenset(each.name for cls in classes for each in fields(cls) if each.init)
