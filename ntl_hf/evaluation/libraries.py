"""Libraries of extras, imported where they are first needed: they take seconds, and training needs none of them."""

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
            raise ImportError(_missing(name, "The metrics", "evaluation"))


def library(module: str, needed_by: str = "The metrics", extra: str = "evaluation") -> Any:
    """Import a module of a library that an extra brings along.

    Args:
        module: its name.
        needed_by: what needs it, for the message.
        extra: what to install.

    Raises:
        ImportError: it is not installed; says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(_missing(module, needed_by, extra)) from error


def _missing(module: str, needed_by: str, extra: str) -> str:
    return f"{needed_by} need `{module.partition('.')[0]}`: pip install 'ntl-hf[{extra}]'"
