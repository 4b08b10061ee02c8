"""`CommandParser`: the parser of the commands whose options are the fields of argument classes.

Hundreds, of which `--help` shows the essential ones, and `--help_all` all of them.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import fields
from typing import Any

from ..runs import debug
from ..settings.recipe_files import CONFIG
from ..settings.recipes import RecipeParser
from . import launch
from .help import HelpFormatter, format_sections

HELP_ALL = "--help_all"
_LOSS, _LOSS_TITLE = "ntl_", "number loss"


class CommandParser(RecipeParser):
    """A `RecipeParser` with the help of a command.

    Args:
        dataclass_types: the argument classes.
        sections: what the short help shows: names of options by title; all others are left to `--help_all`.
        texts: help texts by name, instead of those of the libraries.
        launches: whether the command takes `--accelerate_config`.
        kwargs: for `RecipeParser`.
    """

    def __init__(
        self,
        dataclass_types: Iterable[Any],
        sections: Mapping[str, Sequence[str]],
        texts: Mapping[str, str] | None = None,
        launches: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataclass_types, formatter_class=HelpFormatter, **kwargs)
        self._sections, self._texts, self._launches = sections, texts or {}, launches
        self.add_argument(HELP_ALL, action=_HelpAll)
        self.usage = f"{self.prog} --config RECIPE [--OPTION VALUE ...]"

    def format_help(self) -> str:
        """The essential options."""
        # The first of a name: `--no_tf32` and the like come later.
        known = {action.dest: action for action in reversed(self._actions)}
        shown = {title: [self._worded(known[name]) for name in names] for title, names in self._sections.items()}
        of_run = self._run_options()
        hidden = {argparse.SUPPRESS, *(action.dest for action in of_run)}
        others = len(known.keys() - hidden) - sum(map(len, shown.values()))
        return format_sections(self, {"this run": of_run, **shown}, f"{HELP_ALL} lists {others} more options.")

    def format_full_help(self) -> str:
        """All options, by the class that has them, those of the number loss apart."""
        sections = {"this run": self._run_options(), _LOSS_TITLE: []}
        for cls in self.dataclass_types:
            names = {each.name for each in fields(cls)}
            of_class = [self._worded(action) for action in self._actions if action.dest in names]
            sections[_LOSS_TITLE] += [action for action in of_class if action.dest.startswith(_LOSS)]
            sections[cls.__name__] = [action for action in of_class if not action.dest.startswith(_LOSS)]
        return format_sections(self, {title: actions for title, actions in sections.items() if actions})

    def _worded(self, action: argparse.Action) -> argparse.Action:
        action = copy(action)
        action.help = self._texts.get(action.dest, action.help)
        return action

    def _run_options(self) -> list[argparse.Action]:
        """For the help alone: all but the last two are taken out of the words before the parser sees them."""
        options = argparse.ArgumentParser(add_help=False)
        recipe = "a recipe: a file with the options below, `name: value` a line, or a name of `ntl-hf recipes`"
        options.add_argument(CONFIG, metavar="FILE_OR_NAME", help=recipe)
        options.add_argument(debug.FLAG, action="store_true", help=debug.HELP)
        if self._launches:
            options.add_argument(launch.CONFIG, metavar="FILE_OR_NAME", help=launch.HELP)
        options.add_argument("-h", "--help", action="store_true", help="show the options used most, and exit")
        options.add_argument(HELP_ALL, action="store_true", help="show all options, and exit")
        return options._actions


class _HelpAll(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **_: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS)

    def __call__(self, parser: Any, *_: Any) -> None:
        sys.stdout.write(parser.format_full_help())
        parser.exit()
