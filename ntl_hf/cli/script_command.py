"""What the commands that train have in common: a recipe and overrides in, a trained model out."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from .debug import HELP as DEBUG_HELP
from .errors import UsageError
from .launch import HELP


@dataclass(frozen=True)
class ScriptCommand:
    """A command over a module of `ntl_hf.scripts`, which has `ARGUMENT_CLASSES` and `build_trainer`."""

    name: str
    help: str

    def add_parser(self, commands: Any) -> argparse.ArgumentParser:
        """List the command; `main` hands its arguments to `run` unparsed."""
        return commands.add_parser(self.name, help=self.help, add_help=False)

    def run(self, argv: Sequence[str]) -> int:
        """Parse, check, train and save.

        Raises:
            UsageError: whatever is refused before training.
        """
        # Here, because it imports torch and all: `ntl-hf --help` is quick without.
        from ..scripts.run import train
        from .recipes import RecipeParser

        script = import_module(f"..scripts.{self.name}", __package__)
        parser = RecipeParser(script.ARGUMENT_CLASSES, prog=f"ntl-hf {self.name}", epilog=f"{HELP} {DEBUG_HELP}")
        arguments = parser.parse(argv)
        try:
            trainer = script.build_trainer(*arguments)
        except (ValueError, OSError) as error:
            # Some errors of transformers are a page long.
            raise UsageError(" ".join(str(error).split())) from error
        train(trainer)
        trainer.accelerator.end_training()
        return 0
