"""A debug run: a few steps on a few rows, on the path of a real one."""

from typing import Any

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
