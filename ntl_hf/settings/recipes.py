"""`RecipeParser`: recipes and their overrides made into argument classes, with errors of one line."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NoReturn, get_type_hints

from trl import TrlParser

from .checks import short
from .config import PREFIX
from .errors import UsageError, as_usage_error, did_you_mean
from .recipe_files import CONFIG, split_flags
from .recipe_reader import Recipe, read_recipe, what_else
from .recipe_values import value_problem

# Of fields of the libraries that take less, and fail with it, or train in another way, once the data are made.
_LEAST = {
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "max_length": 1,
    "lora_r": 1,
    "num_train_epochs": 0,
    "dataloader_num_workers": 0,
    "learning_rate": 0,
    "max_grad_norm": 0,
}


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
        self._types = {name: hint for cls in self.dataclass_types for name, hint in get_type_hints(cls).items()}

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
            source: what it is called in errors, where it does not know its lines.
            argv: options of the command line.
        """
        recipe = recipe if isinstance(recipe, Recipe) else Recipe(recipe, source, {})
        values = {key: value for key, value in recipe.items() if key not in self._ignored}
        variables = values.pop("env", {})
        for key, value in values.items():
            self._check(recipe, key, value)
        if not isinstance(variables, dict):
            where = recipe.where("env")
            raise UsageError(f"{where}: `env` must hold names and values, such as {{HF_HUB_OFFLINE: 1}}.")
        os.environ.update({str(name): str(value) for name, value in variables.items()})
        self.set_defaults_with_config(**values)
        with as_usage_error(ValueError, TypeError, OSError):
            arguments: tuple[Any, ...] = self.parse_args_and_config(argv)
        for name, least in _LEAST.items():
            for argument in (getattr(each, name, None) for each in arguments):
                if argument is not None and argument < least:
                    raise UsageError(f"`{name}` is {argument}; it must be {least} or more.")
        return arguments

    def _check(self, recipe: Recipe, key: str, value: Any) -> None:
        """Refuse an unknown key, and a value that its field cannot have: argparse checks what is typed alone."""
        actions = {action.dest: action for action in self._actions}
        where = recipe.where(key)
        if key not in actions:
            hint = what_else(recipe.keys() - actions.keys(), recipe.source) or did_you_mean(key, actions)
            raise UsageError(f"{where}: unknown key '{key}'.{hint}")
        choices = [str(choice) for choice in actions[key].choices or ()]
        if choices and value is not None and str(value) not in choices:
            hint = " (YAML reads an unquoted no as false)" if value is False else ""
            raise UsageError(f"{where}: '{key}' is {short(value)}{hint}; choose one of: {', '.join(choices)}.")
        # Those of the loss take sums as lists as well, and are checked with their ranges.
        is_checked_later = key.startswith(PREFIX) and not isinstance(value, str)
        problem = None if choices or is_checked_later else value_problem(value, self._types[key])
        if problem is not None:
            raise UsageError(f"{where}: `{key}` {problem}")

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def fields_of(classes: Iterable[Any]) -> frozenset[str]:
    """The keys that argument classes take."""
    return frozenset(each.name for cls in classes for each in fields(cls) if each.init)
