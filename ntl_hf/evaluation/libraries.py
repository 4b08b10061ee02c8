"""The metric libraries, imported where they are first needed: they take seconds, and training needs none of them."""

from importlib import import_module
from typing import Any


def library(module: str) -> Any:
    """Import a module of a metric library.

    Raises:
        ImportError: it is not installed; says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise ImportError(f"The metrics need `{name}`: pip install 'ntl-hf[evaluation]'") from error
