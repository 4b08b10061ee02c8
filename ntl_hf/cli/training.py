"""`ntl-hf sft` and `ntl-hf train`: a recipe and overrides in, a trained model out."""

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path

from ..runs import debug
from ..settings.errors import as_usage_error
from ..settings.recipe_files import CONFIG, display_name, split_flags
from .help import ScriptCommand, with_examples
from .terminal import no_bars_in_pipes

_SECTIONS = {
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
}
# What tells `ntl-hf evaluate` of the data as well.
_DATA = ("--task", "--data_path", "--dataset_name", "--dataset_config")
_TEXTS = {
    "model_name_or_path": "Hub id or local folder of the model.",
    "use_peft": "Train a LoRA adapter.",
    "lora_r": "Rank of the adapter.",
    "lora_target_modules": "Modules that get an adapter, such as q_proj v_proj, or all-linear.",
    "resume_from_checkpoint": "Folder of a checkpoint; or 'auto', the last complete one of `output_dir`, if any.",
}


def _run(name: str, description: str, argv: Sequence[str]) -> int:
    """Parse, check, train and save, with the module of that name in `ntl_hf.runs`.

    Raises:
        UsageError: whatever is refused before training.
    """
    no_bars_in_pipes()
    # Here, because it imports torch and all: `ntl-hf --help` is quick without.
    from transformers import TrainingArguments

    from ..runs.output_dir import exclusive_output_dir
    from ..runs.training import train
    from .command_parser import CommandParser

    script = import_module(f"..runs.{name}", __package__)
    parser = CommandParser(script.ARGUMENT_CLASSES, _SECTIONS, _TEXTS, prog=f"ntl-hf {name}", description=description)
    arguments = parser.parse(argv)
    args = next(each for each in arguments if isinstance(each, TrainingArguments))
    with ExitStack() as stack:
        with as_usage_error(ValueError, OSError):
            stack.enter_context(exclusive_output_dir(args))
            trainer = script.build_trainer(*arguments)
        is_finished = train(trainer)
    trainer.accelerator.end_training()
    if is_finished and trainer.is_world_process_zero():
        print(_next_step(str(args.output_dir), argv))
    return 0


def _next_step(folder: str, argv: Sequence[str]) -> str:
    """Where the model is, and the command that scores it on the data of the same recipe."""
    words = split_flags(argv)
    typed = {word: words[i + 1] for i, word in enumerate(words[:-1]) if word in (CONFIG, *_DATA)}
    if CONFIG in typed:
        typed[CONFIG] = display_name(Path(typed[CONFIG]))
    data = [word for pair in typed.items() for word in pair]
    return f"Saved in {folder}. Score it: {shlex.join(['ntl-hf', 'evaluate', '--model_name_or_path', folder, *data])}"


_SFT = with_examples(
    "Fine-tune a decoder-only model on CE + NTL with TRL's SFT trainer (`NTLSFTTrainer`). A recipe sets the options, "
    "and what is said on the command line counts more.",
    "ntl-hf sft --config granite-3.2-2b/gsm8k-lora",
    "ntl-hf sft --config smollm2-135m/gsm8k-lora --ntl_loss mae",
    "ntl-hf sft --config smollm2-135m/gsm8k-lora --debug",
)
_TRAIN = with_examples(
    "Train a model on CE + NTL with the trainers of transformers: a decoder with `NTLTrainer`, an encoder-decoder "
    "with `NTLSeq2SeqTrainer`. A recipe sets the options, and what is said on the command line counts more.",
    "ntl-hf train --config t5-base/arithmetic",
    "ntl-hf train --config t5-base/xval --learning_rate 1e-4",
    "ntl-hf train --config t5-base/arithmetic --debug",
)
SFT = ScriptCommand(
    "sft",
    "fine-tune with NTLSFTTrainer: --config recipe.yaml and overrides",
    partial(_run, "sft", _SFT),
    debug.TRAINING,
)
TRAIN = ScriptCommand(
    "train",
    "train with NTLTrainer or, T5 and the like, NTLSeq2SeqTrainer: --config as for sft",
    partial(_run, "train", _TRAIN),
    debug.TRAINING,
)
