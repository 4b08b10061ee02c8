from .answer import clean_numbers, final_answer
from .arithmetic import make_arithmetic
from .calculations import make_calculations, make_multiplication
from .cnn_dailymail import load_cnn_dailymail
from .columns import map_columns, read_targets
from .encode import (
    TextEncoder,
    check_text_columns,
    right_padding_collator,
)
from .gsm8k import load_gsm8k
from .mathematics import (
    PAPER_EXTRAPOLATION_MODULES,
    PAPER_MODULES,
    load_mathematics,
)
from .multirc import load_multirc
from .named import is_data_file, load_named
from .ratings import make_ratings
from .readings import make_readings
from .rjokes import load_rjokes

__all__ = [
    "PAPER_EXTRAPOLATION_MODULES",
    "PAPER_MODULES",
    "TextEncoder",
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
