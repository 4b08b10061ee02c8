"""`--help` of the commands whose options are the fields of argument classes: the essential ones, or all."""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any

from . import config_option, debug, launch
from .help import format_sections

HELP_ALL = "--help_all"
_LOSS, _LOSS_TITLE = "ntl_", "number loss"


@dataclass(frozen=True)
class RecipeHelp:
    """What the short help of a command shows.

    Attributes:
        sections: names of options by title; all others are left to `--help_all`.
        texts: help texts by name, instead of those of the libraries.
        launches: whether the command takes `--accelerate_config`.
    """

    sections: Mapping[str, Sequence[str]]
    texts: Mapping[str, str] = field(default_factory=dict)
    launches: bool = True

    def short(self, parser: argparse.ArgumentParser) -> str:
        """The help with the essential options."""
        # The first of a name: `--no_tf32` and the like come later.
        known = {action.dest: action for action in reversed(parser._actions)}
        shown = {title: [self._worded(known[name]) for name in names] for title, names in self.sections.items()}
        of_run = {action.dest for action in self._run_options()}
        others = len(known.keys() - of_run - {argparse.SUPPRESS}) - sum(map(len, shown.values()))
        more = f"{HELP_ALL} lists {others} more options."
        return format_sections(parser, {"this run": self._run_options(), **shown}, more)

    def full(self, parser: argparse.ArgumentParser, classes: Iterable[Any]) -> str:
        """The help with all options, by the class that has them, those of the number loss apart."""
        sections = {"this run": self._run_options(), _LOSS_TITLE: []}
        for cls in classes:
            names = {each.name for each in fields(cls)}
            of_class = [self._worded(action) for action in parser._actions if action.dest in names]
            sections[_LOSS_TITLE] += [action for action in of_class if action.dest.startswith(_LOSS)]
            sections[cls.__name__] = [action for action in of_class if not action.dest.startswith(_LOSS)]
        return format_sections(parser, {title: actions for title, actions in sections.items() if actions})

    def _worded(self, action: argparse.Action) -> argparse.Action:
        action = copy(action)
        action.help = self.texts.get(action.dest, action.help)
        return action

    def _run_options(self) -> list[argparse.Action]:
        """For the help alone: all but the last two are taken out of the words before the parser sees them."""
        options = argparse.ArgumentParser(add_help=False)
        recipe = "a recipe: a file with the options below, `name: value` a line, or a name of `ntl-hf recipes`"
        options.add_argument(config_option.FLAG, metavar="FILE_OR_NAME", help=recipe)
        options.add_argument(debug.FLAG, action="store_true", help=debug.HELP)
        if self.launches:
            options.add_argument(launch.CONFIG, metavar="FILE_OR_NAME", help=launch.HELP)
        options.add_argument("-h", "--help", action="store_true", help="show the options used most, and exit")
        options.add_argument(HELP_ALL, action="store_true", help="show all options, and exit")
        return options._actions


class HelpAll(argparse.Action):
    """Prints the full help of a `CommandParser`, and exits."""

    def __init__(self, option_strings: Sequence[str], dest: str, **_: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS)

    def __call__(self, parser: Any, *_: Any) -> None:
        sys.stdout.write(parser.format_full_help())
        parser.exit()
