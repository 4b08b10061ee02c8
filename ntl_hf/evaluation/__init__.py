"""Metrics over examples, each with its bootstrap interval; what was left out is counted."""

from .answers import score_answers, score_decoded
from .bootstrap import Score, from_json, to_json
from .calibration import score_distributions
from .libraries import check_libraries
from .number_metrics import number_right, score_numbers
from .paired import McNemar, mcnemar
from .table import to_markdown, to_table
from .text_metrics import score_texts, score_tokens

__all__ = [
    "McNemar",
    "Score",
    "check_libraries",
    "from_json",
    "mcnemar",
    "number_right",
    "score_answers",
    "score_decoded",
    "score_distributions",
    "score_numbers",
    "score_texts",
    "score_tokens",
    "to_json",
    "to_markdown",
    "to_table",
]
