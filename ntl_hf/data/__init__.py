"""Data sets as prompt, completion and target, and their way to token ids and labels.

The names of `__init__.pyi` are loaded on first use: what reads numbers in texts needs neither transformers nor
datasets.
"""

from ..settings.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
