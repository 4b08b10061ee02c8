"""`ModelSystems`: what the trainers are told of models that are more than a language model, by whoever brings them.

Packages name theirs as an entry point of the group `ntl_hf.model_systems`. It is loaded when it is first asked for, so
that a model or a tokenizer of a system is known as one, whether or not its package was imported before.
"""

import warnings
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

GROUP = "ntl_hf.model_systems"


class ModelSystems(Protocol):
    """What a package, or a module of it, tells of its systems; a model is known as one by its config."""

    def is_system(self, config: Any) -> bool:
        """Whether a model is of one of the systems, so that its config has to lie beside an adapter of it."""
        ...

    def check_model(self, model: Any, tokenizer: Any) -> None:
        """Raise `ValueError` for a model or a tokenizer that the number loss cannot train, or that do not match.

        Args:
            model: any model, adapted or not.
            tokenizer: its tokenizer, or None where that is not known.
        """
        ...

    def card_section(self, config: Any) -> str:
        """The section of a model card on the system, as Markdown with its heading; empty for other models."""
        ...


_loaders: list[Callable[[], ModelSystems]] = []


def register_systems(load: Callable[[], ModelSystems]) -> None:
    """Have all trainers that are built from now on ask what `load` returns too; it is called for the first of them."""
    _loaders.append(load)
    registered_systems.cache_clear()


@cache
def registered_systems() -> tuple[ModelSystems, ...]:
    """All that were registered, or are named in the metadata of an installed package; warns where there is none."""
    loaders = [*_loaders, *(entry.load for entry in entry_points(group=GROUP))]
    if not loaders:
        warnings.warn(
            f"No installed package has an entry point of the group `{GROUP}`, not even ntl_hf: models and tokenizers "
            "of `ntl_hf.systems` are not told from plain ones, and not refused where they cannot be trained. Install "
            "ntl_hf (again), or import `ntl_hf.systems` before the first trainer is built."
        )
    return tuple({id(found): found for found in (load() for load in loaders)}.values())


def is_system(config: Any) -> bool:
    """Whether a model is of any of the registered systems."""
    return any(each.is_system(config) for each in registered_systems())


def check_model(model: Any, tokenizer: Any) -> None:
    """Raise `ValueError` if one of the registered systems refuses a model with its tokenizer, which may be None."""
    for each in registered_systems():
        each.check_model(model, tokenizer)


def card_sections(config: Any) -> list[str]:
    """The sections of a model card on the systems that a model is of."""
    return [section for each in registered_systems() if (section := each.card_section(config))]
