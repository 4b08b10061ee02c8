"""`CommandParser`: the reader of recipes with the help of a command."""

from collections.abc import Iterable
from typing import Any

from ..settings.recipes import RecipeParser
from .help import HelpFormatter
from .recipe_help import HELP_ALL, HelpAll, RecipeHelp


class CommandParser(RecipeParser):
    """A `RecipeParser` whose `--help` shows the essential options, and `--help_all` all of them."""

    def __init__(self, dataclass_types: Iterable[Any], recipe_help: RecipeHelp, **kwargs: Any) -> None:
        super().__init__(dataclass_types, formatter_class=HelpFormatter, **kwargs)
        self._recipe_help = recipe_help
        self.add_argument(HELP_ALL, action=HelpAll)
        self.usage = f"{self.prog} --config RECIPE [--OPTION VALUE ...]"

    def format_help(self) -> str:
        return self._recipe_help.short(self)

    def format_full_help(self) -> str:
        """All options, by the class that has them."""
        return self._recipe_help.full(self, self.dataclass_types)
