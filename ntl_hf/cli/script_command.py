"""What the commands that train have in common: a recipe and overrides in, a trained model out."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..settings.errors import UsageError
from .help import with_examples
from .recipe_help import RecipeHelp
from .terminal import no_bars_in_pipes

_HELP = RecipeHelp(
    {
        "data": ("task", "data_path", "dataset_name", "columns", "max_train_samples"),
        "number loss": (
            *("ntl_weight", "ntl_loss", "ntl_digits_only", "ntl_reweigh", "ntl_squash_factor"),
            *("ntl_weight_schedule", "ntl_head"),
        ),
        "model": (
            *("model_name_or_path", "from_scratch", "use_peft", "lora_r", "lora_target_modules"),
            *("add_digit_tokens", "split_digits", "train_number_rows", "system"),
        ),
        "training": (
            *("output_dir", "num_train_epochs", "max_steps", "per_device_train_batch_size"),
            *("gradient_accumulation_steps", "learning_rate", "max_length", "eval_strategy"),
            *("resume_from_checkpoint", "report_to", "seed"),
        ),
    },
    {
        "model_name_or_path": "Hub id or local folder of the model.",
        "use_peft": "Train a LoRA adapter.",
        "lora_r": "Rank of the adapter.",
        "lora_target_modules": "Modules that get an adapter, such as q_proj v_proj, or all-linear.",
        "resume_from_checkpoint": "Folder of a checkpoint; or 'auto', the last complete one of `output_dir`, if any.",
    },
)


@dataclass(frozen=True)
class ScriptCommand:
    """A command over a module of `ntl_hf.runs`, which has `ARGUMENT_CLASSES` and `build_trainer`."""

    name: str
    help: str
    description: str
    examples: tuple[str, ...]

    def add_parser(self, commands: Any) -> argparse.ArgumentParser:
        """List the command; `main` hands its arguments to `run` unparsed."""
        return commands.add_parser(self.name, help=self.help, add_help=False)

    def run(self, argv: Sequence[str]) -> int:
        """Parse, check, train and save.

        Raises:
            UsageError: whatever is refused before training.
        """
        no_bars_in_pipes()
        # Here, because it imports torch and all: `ntl-hf --help` is quick without.
        from transformers import TrainingArguments

        from ..runs.run import alone_in, train
        from .command_parser import CommandParser

        script = import_module(f"..runs.{self.name}", __package__)
        parser = CommandParser(
            script.ARGUMENT_CLASSES,
            recipe_help=_HELP,
            prog=f"ntl-hf {self.name}",
            description=with_examples(self.description, *self.examples),
        )
        arguments = parser.parse(argv)
        args = next(each for each in arguments if isinstance(each, TrainingArguments))
        with ExitStack() as stack:
            try:
                stack.enter_context(alone_in(args))
                trainer = script.build_trainer(*arguments)
            except (ValueError, OSError) as error:
                # Some errors of transformers are a page long.
                raise UsageError(" ".join(str(error).split())) from error
            train(trainer)
        trainer.accelerator.end_training()
        return 0
