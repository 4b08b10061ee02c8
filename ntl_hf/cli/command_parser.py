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
from ..settings.recipes import RecipeParser, fields_of
from . import launch
from .help import HelpFormatter

HELP_ALL = "--help_all"
_LOSS, _LOSS_TITLE = "ntl_", "number loss"
_LONGEST_CHOICES = 40


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
        super().__init__(dataclass_types, **kwargs)
        self._sections, self._texts, self._launches = sections, texts or {}, launches

    def parse(self, argv: Sequence[str]) -> tuple[Any, ...]:
        """As of `RecipeParser`, but for `--help_all`, which prints and exits."""
        if HELP_ALL in argv:
            sys.stdout.write(self.format_full_help())
            self.exit()
        return super().parse(argv)

    def format_help(self) -> str:
        """The essential options."""
        # The first of a name: `--no_tf32` and the like come later.
        first = {action.dest: action for action in reversed(self._actions)}
        shown = {title: [first[name] for name in names] for title, names in self._sections.items()}
        # The one of transformers has the name of ours.
        others = fields_of(self.dataclass_types) - {debug.FLAG.removeprefix("--")}
        others -= {name for names in self._sections.values() for name in names}
        return self._page(shown, f"{HELP_ALL} lists {len(others)} more options.")

    def format_full_help(self) -> str:
        """All options, by the class that has them, those of the number loss apart."""
        class_of = {each.name: cls.__name__ for cls in self.dataclass_types for each in fields(cls)}
        sections: dict[str, list[argparse.Action]] = {_LOSS_TITLE: []}
        for action in self._actions:
            if action.dest in class_of:
                title = _LOSS_TITLE if action.dest.startswith(_LOSS) else class_of[action.dest]
                sections.setdefault(title, []).append(action)
        return self._page(sections)

    def _page(self, sections: Mapping[str, Iterable[argparse.Action]], epilog: str | None = None) -> str:
        """The help with these options, under these titles, and those of every run."""
        usage = f"{self.prog} --config RECIPE [--OPTION VALUE ...]"
        page = argparse.ArgumentParser(
            self.prog, usage, self.description, epilog, formatter_class=HelpFormatter, add_help=False
        )
        run = page.add_argument_group("this run")
        recipe = "a recipe: a file with the options below, `name: value` a line, or a name of `ntl-hf recipes`"
        run.add_argument(CONFIG, metavar="FILE_OR_NAME", help=recipe)
        run.add_argument(debug.FLAG, action="store_true", help=debug.HELP)
        if self._launches:
            run.add_argument(launch.CONFIG, metavar="FILE_OR_NAME", help=launch.HELP)
        run.add_argument("-h", "--help", action="store_true", help="show the options used most, and exit")
        run.add_argument(HELP_ALL, action="store_true", help="show all options, and exit")
        for title, actions in sections.items():
            page.add_argument_group(title)._group_actions.extend(map(self._worded, actions))
        return page.format_help()

    def _worded(self, action: argparse.Action) -> argparse.Action:
        """An option with one spelling (`HfArgumentParser` adds `--data-path` to `--data_path`) and few choices."""
        action = copy(action)
        action.option_strings = [name for name in action.option_strings if "-" not in name.lstrip("-")]
        action.help = self._texts.get(action.dest, action.help or "")
        choices = [str(choice) for choice in action.choices or ()]
        if len(",".join(choices)) > _LONGEST_CHOICES:
            action.metavar = "NAME"
            missing = not all(choice in action.help for choice in choices)
            action.help += f" One of: {', '.join(choices)}." if missing else ""
        return action
