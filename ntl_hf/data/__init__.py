"""Data sets as prompt, completion and target, and their way to token ids and labels.

The names below are loaded on first use: what reads numbers in texts needs neither transformers nor datasets.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answer import clean_numbers, final_answer
    from .arithmetic import make_arithmetic
    from .calculations import make_calculations, make_multiplication
    from .cnn_dailymail import load_cnn_dailymail
    from .columns import map_columns, read_targets
    from .encode import TextEncoder, check_text_columns, right_padding_collator
    from .generated import best_scores
    from .gsm8k import load_gsm8k
    from .mathematics import PAPER_EXTRAPOLATION_MODULES, PAPER_MODULES, load_mathematics
    from .multirc import load_multirc
    from .named import is_data_file, load_named
    from .ratings import make_ratings
    from .readings import make_readings
    from .rjokes import load_rjokes

_NAMES_IN = {
    "answer": ("clean_numbers", "final_answer"),
    "arithmetic": ("make_arithmetic",),
    "calculations": ("make_calculations", "make_multiplication"),
    "cnn_dailymail": ("load_cnn_dailymail",),
    "columns": ("map_columns", "read_targets"),
    "encode": ("TextEncoder", "check_text_columns", "right_padding_collator"),
    "generated": ("best_scores",),
    "gsm8k": ("load_gsm8k",),
    "mathematics": ("PAPER_EXTRAPOLATION_MODULES", "PAPER_MODULES", "load_mathematics"),
    "multirc": ("load_multirc",),
    "named": ("is_data_file", "load_named"),
    "ratings": ("make_ratings",),
    "readings": ("make_readings",),
    "rjokes": ("load_rjokes",),
}
_MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names}

__all__ = [
    "PAPER_EXTRAPOLATION_MODULES",
    "PAPER_MODULES",
    "TextEncoder",
    "best_scores",
    "check_text_columns",
    "clean_numbers",
    "final_answer",
    "is_data_file",
    "load_cnn_dailymail",
    "load_gsm8k",
    "load_mathematics",
    "load_multirc",
    "load_named",
    "load_rjokes",
    "make_arithmetic",
    "make_calculations",
    "make_multiplication",
    "make_ratings",
    "make_readings",
    "map_columns",
    "read_targets",
    "right_padding_collator",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
