"""`ModelSystems`: what the trainers are told of models that are more than a language model, by whoever brings them.

Packages name theirs as an entry point of the group `ntl_hf.model_systems`. It is loaded when it is first asked for, so
that a model or a tokenizer of a system is known as one, whether or not its package was imported before.
"""

import sys
import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Protocol

GROUP = "ntl_hf.model_systems"
_OWN = f"{__package__.partition('.')[0]}.systems"


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


class _Registry:
    """Systems that are known, and functions that return further ones, called when they are first needed."""

    def __init__(self) -> None:
        self.loaders: list[Callable[[], ModelSystems]] = []
        self.systems: list[ModelSystems] = []
        self.is_searched = False

    def load(self) -> tuple[ModelSystems, ...]:
        if not self.is_searched:
            self.is_searched = True
            self._search()
        # What is loaded may register more.
        while self.loaders:
            self._add(self.loaders.pop(0)())
        return tuple(self.systems)

    def _search(self) -> None:
        entries = entry_points(group=GROUP)
        if _OWN not in sys.modules and not any(entry.module.startswith(_OWN) for entry in entries):
            warnings.warn(
                f"The metadata of ntl_hf has no entry point of the group `{GROUP}`: models and tokenizers of `{_OWN}` "
                "are not told from plain ones, and not refused where they cannot be trained. Install ntl_hf (again), "
                f"or import `{_OWN}` before the first trainer is built."
            )
        for entry in entries:
            try:
                found = entry.load()
            except Exception as error:  # of another package, whatever it is: plain models are trained all the same
                warnings.warn(f"The entry point {entry.value} of the group `{GROUP}` cannot be loaded: {error!r}.")
            else:
                self._add(found)

    def _add(self, found: ModelSystems) -> None:
        if not any(found is each for each in self.systems):
            self.systems.append(found)


_registry = _Registry()


def register_systems(load: Callable[[], ModelSystems]) -> None:
    """Have all trainers that are built from now on ask what `load` returns too; it is called for the first of them."""
    _registry.loaders.append(load)


def registered_systems() -> tuple[ModelSystems, ...]:
    """All that were registered, or are named in the metadata of an installed package.

    Warns of packages that cannot be loaded, and where this package's own systems are not there.
    """
    return _registry.load()


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
