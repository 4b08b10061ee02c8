"""`ntl-hf evaluate`: scores a model or an adapter on a data set."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

from .debug import HELP as DEBUG_HELP
from .errors import UsageError

_EPILOG = f"A recipe for training will do as --config: what it says of the data is used. {DEBUG_HELP}"


class EvaluateCommand:
    """The command; `main` hands its arguments to `run` unparsed."""

    name = "evaluate"
    help = "score a model or an adapter on a data set"

    def add_parser(self, commands: Any) -> argparse.ArgumentParser:
        """List the command."""
        return commands.add_parser(self.name, help=self.help, add_help=False)

    def run(self, argv: Sequence[str]) -> int:
        """Parse, check, evaluate, write and print.

        Raises:
            UsageError: whatever is refused before anything is generated.
        """
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            raise UsageError("evaluate runs in one process: leave out the launcher.")
        # Here, because it imports torch and all: `ntl-hf --help` is quick without.
        from rich.console import Console

        from ..evaluation import harness, to_table
        from ..scripts import evaluate

        try:
            result = evaluate.run(*_parser().parse(argv))
        except (ValueError, OSError, ImportError) as error:
            # Some errors of transformers are a page long.
            raise UsageError(" ".join(str(error).split())) from error
        Console().print(to_table(result.scores, result.content["settings"]["confidence"]))
        if result.lm_eval is not None:
            Console().print(harness.to_table(result.lm_eval))
        print(f"Written to {result.folder}.")
        return 0


COMMAND = EvaluateCommand()


def _parser() -> Any:
    from ..scripts import evaluate, sft, train
    from .recipes import RecipeParser, fields_of

    of_training = fields_of((*sft.ARGUMENT_CLASSES, *train.ARGUMENT_CLASSES))
    ignored = (of_training - fields_of(evaluate.ARGUMENT_CLASSES)) | evaluate.TRAINING_KEYS
    return RecipeParser(evaluate.ARGUMENT_CLASSES, ignored=ignored, prog="ntl-hf evaluate", epilog=_EPILOG)
