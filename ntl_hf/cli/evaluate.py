"""`ntl-hf evaluate`: scores a model or an adapter on a data set."""

import os
from collections.abc import Sequence

from ..runs import debug
from ..settings.errors import UsageError, as_usage_error
from .help import ScriptCommand, with_examples
from .terminal import make_console, no_bars_in_pipes

_DESCRIPTION = with_examples(
    "Let a model or an adapter answer the test rows of a data set, and score the answers as texts and as numbers, "
    "with intervals. A recipe for training will do as --config: what it says of the data is used.",
    "ntl-hf evaluate --model_name_or_path out --task gsm8k",
    "ntl-hf evaluate --model_name_or_path out --config recipe.yaml",
    "ntl-hf evaluate --model_name_or_path out --config recipe.yaml --debug",
)
_SECTIONS = {
    "model": ("model_name_or_path", "base_model_name_or_path", "output_dir", "overwrite_output_dir"),
    "data": ("task", "data_path", "dataset_name", "columns", "answer_mark", "max_eval_samples"),
    "answers": (
        *("per_device_eval_batch_size", "max_new_tokens", "do_sample", "number_decoding"),
        *("number_decoding_format", "lm_eval_tasks", "resamples", "use_cpu", "seed"),
    ),
}


def _run(argv: Sequence[str]) -> int:
    """Parse, check, evaluate, write and print.

    Raises:
        UsageError: whatever is refused before anything is generated.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UsageError("evaluate runs in one process: leave out the launcher.")
    no_bars_in_pipes()
    # Here, because it imports torch and all: `ntl-hf --help` is quick without.
    from ..evaluation import harness, to_table
    from ..runs import evaluate, sft, train
    from ..settings.recipes import fields_of
    from .command_parser import CommandParser

    of_training = fields_of((*sft.ARGUMENT_CLASSES, *train.ARGUMENT_CLASSES))
    ignored = (of_training - fields_of(evaluate.ARGUMENT_CLASSES)) | evaluate.TRAINING_KEYS
    parser = CommandParser(
        evaluate.ARGUMENT_CLASSES,
        _SECTIONS,
        launches=False,
        ignored=ignored,
        prog="ntl-hf evaluate",
        description=_DESCRIPTION,
    )
    with as_usage_error(ValueError, OSError, ImportError):
        result = evaluate.run(*parser.parse(argv))
    console = make_console()
    console.print(to_table(result.scores, result.content["settings"]["confidence"]))
    if result.lm_eval is not None:
        console.print(harness.to_table(result.lm_eval))
    print(f"Written to {result.folder}.")
    return 0


COMMAND = ScriptCommand("evaluate", "score a model or an adapter on a data set", _run, debug.EVALUATION)
