"""`ntl-hf`: finds the command and reports errors. `python -m ntl_hf.cli.main` does the same, for launchers."""

import argparse
import re
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import __version__
from ..runs.debug import expand_debug
from ..settings.errors import UsageError, did_you_mean
from ..settings.recipe_files import CONFIG, command_of, display_name, find_recipe, split_flags
from . import compare, evaluate, inspect, own_recipes, plot, quickstart, training
from .help import CommandsFormatter, OneLineParser, with_examples
from .launch import end_with_launcher, launch, split_options
from .process import exit_on_broken_pipe, leave, report

_SCRIPTS: dict[str, Any] = {
    command.name: command for command in (training.SFT, training.TRAIN, evaluate.COMMAND, compare.COMMAND)
}
# The commands whose recipes a command reads.
_READS = {"sft": ("sft",), "train": ("train",), "evaluate": ("sft", "train"), "compare": ("compare",)}
_RECIPE = "a recipe: `--config FILE_OR_NAME`; `ntl-hf recipes` lists those that come with the package"
_NEEDS = {"evaluate": "a model and data: `--model_name_or_path FOLDER --config RECIPE`"}


@exit_on_broken_pipe()
def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for a failure, 2 for wrong usage."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        # Their options are the fields of the argument classes: hundreds, and slow to import for every `--help`.
        if argv and argv[0] in _SCRIPTS:
            end_with_launcher()
            return _run_script(argv[0], with_recipe_path(argv[1:]))
        parser, commands = _parser()
        if argv and not argv[0].startswith("-") and argv[0] not in commands:
            hint = did_you_mean(argv[0], commands)
            raise UsageError(f"unknown command '{argv[0]}'.{hint} `ntl-hf --help` lists them.")
        args = parser.parse_args(argv)
        return args.run(args)
    except UsageError as error:
        return report(error)
    except KeyboardInterrupt:
        print("ntl-hf: interrupted", file=sys.stderr)
        return 130


def _run_script(name: str, words: list[str]) -> int:
    if not words:
        raise UsageError(f"`ntl-hf {name}` needs {_NEEDS.get(name, _RECIPE)}. `ntl-hf {name} --help` says more.")
    command, recipe = _SCRIPTS[name], words[words.index(CONFIG) + 1 :][:1] if CONFIG in words else []
    try:
        options, words = split_options(words if command.debug is None else expand_debug(command.debug, words))
        return launch(name, options, words) if options else command.run(words)
    except UsageError as error:
        if not recipe:
            raise
        message = _located(str(error), recipe[0], words)
        if (own := command_of(Path(recipe[0]))) is None:
            raise UsageError(message) from error
        # One of our recipes is called by its name.
        called = display_name(Path(recipe[0]))
        is_said = own in _READS[name] or f"ntl-hf {own}" in message
        hint = "" if is_said else f" {called} is a recipe for `ntl-hf {own}`."
        raise UsageError(message.replace(recipe[0], called) + hint) from error


def _located(message: str, path: str, words: Sequence[str]) -> str:
    """An error that begins with a setting, with the line at which the recipe sets it, unless it was typed."""
    setting = re.match(r"`(\w+)`", message)
    if setting is None or path in message or f"--{setting[1]}" in split_flags(words):
        return message
    from ..settings.recipe_reader import read_recipe

    with suppress(UsageError):
        recipe = read_recipe(path)
        return f"{recipe.where(setting[1])}: {message}" if setting[1] in recipe else message
    return message  # it came through a pipe


def with_recipe_path(words: Sequence[str]) -> list[str]:
    """The words of a command, `--config=value` as two, with the name of a recipe replaced by the path of its file.

    Raises:
        UsageError: there is no such file, and no recipe of that name.
    """
    words = [part for word in words for part in (word.split("=", 1) if word.startswith(f"{CONFIG}=") else [word])]
    position = words.index(CONFIG) + 1 if CONFIG in words else len(words)
    if position < len(words) and not words[position].startswith("--"):
        words[position] = str(find_recipe(words[position]))
    return words


def _parser() -> tuple[argparse.ArgumentParser, Collection[str]]:
    """The parser, and the names of the commands."""
    description = with_examples(
        "Fine-tune language models with the Number Token Loss on the Hugging Face trainers. COMMAND --help says more.",
        "ntl-hf quickstart",
        "ntl-hf sft --config smollm2-135m/gsm8k-lora --debug",
    )
    parser = OneLineParser(prog="ntl-hf", description=description, formatter_class=CommandsFormatter)
    parser.add_argument("--version", action="version", version=f"ntl-hf {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listed: tuple[Any, ...] = (quickstart, *_SCRIPTS.values(), own_recipes, inspect, plot)
    for command in listed:
        command.add_parser(commands)
    return parser, commands.choices


if __name__ == "__main__":
    leave(main())
