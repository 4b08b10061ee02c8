"""`ntl-hf sft`: fine-tune a decoder-only model with `NTLSFTTrainer`, from a recipe and overrides."""

import argparse
from collections.abc import Sequence
from typing import Any

from .errors import UsageError

HELP = "fine-tune with NTLSFTTrainer: --config recipe.yaml and overrides"


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """List the command; `main` hands its arguments to `run` unparsed."""
    return commands.add_parser("sft", help=HELP, add_help=False)


def run(argv: Sequence[str]) -> int:
    """Parse, check, train and save.

    Raises:
        UsageError: whatever is refused before training.
    """
    from trl import ModelConfig

    from ..arguments import NTLSFTConfig
    from ..scripts.data import DataArguments
    from ..scripts.model import NumberTokenArguments
    from ..scripts.run import train
    from ..scripts.sft import build_trainer
    from .recipes import RecipeParser

    parser = RecipeParser((DataArguments, NumberTokenArguments, NTLSFTConfig, ModelConfig), prog="ntl-hf sft")
    arguments = parser.parse(argv)
    try:
        trainer = build_trainer(*arguments)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error
    train(trainer)
    return 0
