"""Data sets as prompt and completion, and their way to token ids and labels."""

from .encode import TextEncoder, check_text_columns
from .gsm8k import extract_answer, load_gsm8k
from .mathematics import load_mathematics

__all__ = ["TextEncoder", "check_text_columns", "extract_answer", "load_gsm8k", "load_mathematics"]
