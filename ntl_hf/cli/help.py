"""The list of commands, and their help: paragraphs and examples kept, options of hundreds of fields in short."""

import argparse
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ..settings.errors import UsageError

# By the name of an option's type; whatever else there is, is written as text.
_METAVARS = {"int": "N", "float": "X", "string_to_bool": "true|false"}
# Defaults that say nothing beside the help text.
_SILENT = (None, False, "", argparse.SUPPRESS)


@dataclass(frozen=True)
class ScriptCommand:
    """A command whose options are the fields of argument classes: listed here, parsed by itself.

    Attributes:
        name: of the command.
        help: its line in the list of commands.
        run: takes the command's own words and returns the exit code.
        debug: settings of a debug run; None where the command has a `--debug` of its own.
    """

    name: str
    help: str
    run: Callable[[Sequence[str]], int]
    debug: Mapping[str, Any] | None = None

    def add_parser(self, commands: Any) -> argparse.ArgumentParser:
        """List the command; `main` hands its words to `run` unparsed."""
        return commands.add_parser(self.name, help=self.help, add_help=False)


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are `UsageError`s, which the command reports in one line, without a page of usage."""

    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().split())
        raise UsageError(f"{message}; {usage}")


def with_examples(description: str, *examples: str) -> str:
    """A description for `HelpFormatter`, with command lines below, as they are."""
    return "\n".join([description, "", "examples:", *(f"  {example}" for example in examples)])


class HelpFormatter(argparse.HelpFormatter):
    """Wraps paragraphs, leaves indented lines alone, and keeps every option's line short.

    An option has the type of its value instead of its name once more, and its default where it has one.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        wrapped = (line if line.startswith(" ") else textwrap.fill(line, width) for line in text.splitlines())
        return textwrap.indent("\n".join(wrapped), indent)

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        return _METAVARS.get(getattr(action.type, "__name__", ""), "TEXT")

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        says_it = "default" in text.lower()
        # Not `in`: 0 is a default that is worth telling, and equals False.
        if says_it or action.nargs == 0 or any(action.default is silent for silent in _SILENT):
            return text
        return f"{text} (default: %(default)s)"


class CommandsFormatter(HelpFormatter):
    """For a list of commands: their names stand beside what they do."""

    def __init__(self, prog: str, **kwargs: Any) -> None:
        super().__init__(prog, **kwargs)
        # argparse measures the names without their indentation, and gives the longest a line of its own.
        self._action_max_length = len("    quickstart")
