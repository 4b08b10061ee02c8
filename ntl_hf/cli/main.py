"""`ntl-hf`: finds the command and reports errors. `python -m ntl_hf.cli.main` does the same, for launchers."""

import argparse
import sys
from collections.abc import Sequence

from .. import __version__
from . import inspect, quickstart, sft
from .errors import UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for a failure, 2 for wrong usage."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        # Its options are the fields of the argument classes: hundreds, and slow to import for every `--help`.
        if argv[:1] == ["sft"]:
            return sft.run(argv[1:])
        args = _parser().parse_args(argv)
        return args.run(args)
    except UsageError as error:
        print(f"ntl-hf: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ntl-hf: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ntl-hf", description="Fine-tune language models with the Number Token Loss on the Hugging Face trainers."
    )
    parser.add_argument("--version", action="version", version=f"ntl-hf {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (quickstart, sft, inspect):
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
