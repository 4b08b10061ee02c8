"""`ntl-hf`: finds the command and reports errors. `python -m ntl_hf.cli.main` does the same, for launchers."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..runs.debug import expand_debug
from ..settings.errors import UsageError
from . import compare, evaluate, inspect, own_recipes, plot, quickstart, training
from .config_option import recipe_by_name, with_recipe_path
from .help import CommandsFormatter, with_examples
from .launch import end_with_launcher, launch, split_options
from .process import exit_on_broken_pipe, leave, report

_SCRIPTS: dict[str, Any] = {
    command.name: command for command in (training.SFT, training.TRAIN, evaluate.COMMAND, compare.COMMAND)
}


@exit_on_broken_pipe()
def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for a failure, 2 for wrong usage."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        # Their options are the fields of the argument classes: hundreds, and slow to import for every `--help`.
        if argv and argv[0] in _SCRIPTS:
            end_with_launcher()
            return _run_script(argv[0], with_recipe_path(argv[1:]))
        args = _parser().parse_args(argv)
        return args.run(args)
    except UsageError as error:
        return report(error)
    except KeyboardInterrupt:
        print("ntl-hf: interrupted", file=sys.stderr)
        return 130


def _run_script(name: str, words: list[str]) -> int:
    command = _SCRIPTS[name]
    with recipe_by_name(name, words):
        options, words = split_options(words if command.debug is None else expand_debug(command.debug, words))
        return launch(name, options, words) if options else command.run(words)


def _parser() -> argparse.ArgumentParser:
    description = with_examples(
        "Fine-tune language models with the Number Token Loss on the Hugging Face trainers. COMMAND --help says more.",
        "ntl-hf quickstart",
        "ntl-hf sft --config smollm2-135m/gsm8k-lora --debug",
    )
    parser = argparse.ArgumentParser(prog="ntl-hf", description=description, formatter_class=CommandsFormatter)
    parser.add_argument("--version", action="version", version=f"ntl-hf {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listed: tuple[Any, ...] = (quickstart, *_SCRIPTS.values(), own_recipes, inspect, plot)
    for command in listed:
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    leave(main())
