"""Metrics over examples, each with its bootstrap interval; what was left out is counted."""

from .answers import score_answers
from .calibration import score_distributions
from .decoded import score_decoded
from .libraries import check_libraries
from .number_metrics import number_right, score_numbers
from .paired import McNemar, mcnemar
from .score import Score, from_json, to_json
from .table import markdown_table, rich_table, to_markdown, to_table
from .text_metrics import score_texts
from .token_metrics import score_tokens

__all__ = [
    "McNemar",
    "Score",
    "check_libraries",
    "from_json",
    "markdown_table",
    "mcnemar",
    "number_right",
    "rich_table",
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
