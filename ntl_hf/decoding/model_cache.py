"""What models call their cache: transformers renamed it in 5.24, and drops the old name of the argument in 5.40."""

from collections.abc import Collection
from typing import Any

# The new name first: an output with the new one warns of the old.
CACHE_NAMES = ("cache", "past_key_values")


def cache_argument(parameters: Collection[str]) -> str | None:
    """The argument of a forward pass that takes a cache; None for a model that takes none."""
    return next((name for name in CACHE_NAMES if name in parameters), None)


def cache_of(outputs: Any) -> Any:
    """The cache in a model's outputs; None if there is none."""
    return next((getattr(outputs, name, None) for name in CACHE_NAMES if hasattr(outputs, name)), None)
