"""The metric libraries, imported where they are first needed: they take seconds, and training needs none of them."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

_ALL = ("scipy", "sklearn", "sacrebleu", "rouge_score")


def check_libraries() -> None:
    """Look for all of them without importing any, before there is work to lose.

    Raises:
        ImportError: one is not installed; says how to install it.
    """
    for name in _ALL:
        if find_spec(name) is None:
            raise ImportError(_missing(name))


def library(module: str) -> Any:
    """Import a module of a metric library.

    Raises:
        ImportError: it is not installed; says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(_missing(module.partition(".")[0])) from error


def _missing(name: str) -> str:
    return f"The metrics need `{name}`: pip install 'ntl-hf[evaluation]'"
