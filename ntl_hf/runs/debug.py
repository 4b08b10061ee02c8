"""A debug run, `--debug`: a few steps on a few rows, on the path of a real one, into a folder of its own."""

import tempfile
from collections.abc import Sequence
from typing import Any

FLAG = "--debug"
HELP = "without a value: a few steps on a few rows, into a new temporary folder"

Settings = dict[str, Any]
TRAINING: Settings = {
    "max_steps": 3,
    "max_train_samples": 64,
    "max_eval_samples": 8,
    "logging_steps": 1,
    "eval_steps": 3,
    "save_steps": 3,
    "warmup_steps": 0,
    # Nobody else is to see it.
    "push_to_hub": False,
    "report_to": "none",
}
EVALUATION: Settings = {"max_eval_samples": 8, "max_new_tokens": 8, "resamples": 20}


def expand_debug(settings: Settings, argv: Sequence[str]) -> list[str]:
    """The words of a command, with a bare `--debug` replaced by the settings of a debug run.

    What is said besides counts more: `--debug --max_steps 10` takes ten steps. With a value, the option is the one of
    `transformers`, and is left alone.
    """
    following = argv[argv.index(FLAG) + 1 :][:1] if FLAG in argv else []
    if FLAG not in argv or (following and not following[0].startswith("--")):
        return list(argv)
    # Not the recipe's folder: a debug run must neither meet nor leave anything there.
    folder = tempfile.mkdtemp(prefix="ntl-hf-debug-")
    print(f"Debug run, written to {folder}.", flush=True)
    words = [word for key, value in {**settings, "output_dir": folder}.items() for word in (f"--{key}", str(value))]
    return [*words, *(word for word in argv if word != FLAG)]
