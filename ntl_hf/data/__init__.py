"""Data sets as prompt and completion."""

from .gsm8k import extract_answer, load_gsm8k

__all__ = ["extract_answer", "load_gsm8k"]
