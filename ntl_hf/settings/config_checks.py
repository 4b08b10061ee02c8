"""What is refused of the settings in `NTLConfig` beside ranges: values that exclude each other."""

from typing import Any

from .checks import check_number, short
from .losses import BOUNDED_LOSSES, LOSS_FACTS


def check_together(config: Any, prefix: str) -> None:
    """Raise `ValueError` for settings that exclude each other."""
    names = {term.name for term in config.terms}
    if config.squash_factor is not None and config.gaussian_sigma > 0:
        raise ValueError(
            f"`{prefix}squash_factor` goes with the distances to one true number, and `{prefix}gaussian_sigma` makes "
            "many of it. Remove one of them."
        )
    if config.squash_factor is not None and "was" not in names:
        raise ValueError(
            f"`{prefix}squash_factor` rescales the distances of '{prefix}loss=was'; '{config.loss}' has none. Remove "
            f"it, or set `{prefix}loss` to 'was'."
        )
    if config.reweigh and not names <= set(BOUNDED_LOSSES):
        raise ValueError(
            f"`{prefix}reweigh` is for losses with a largest value ({', '.join(BOUNDED_LOSSES)}); `{prefix}loss` is "
            f"'{config.loss}'. Remove it."
        )
    if config.place_weights != "none" and not any(LOSS_FACTS[name].takes_place_weights for name in names):
        raise ValueError(
            f"`{prefix}place_weights` weigh single tokens; '{config.loss}' has places of its own. Set it to 'none'."
        )
    if {"raft", "number"} <= names:
        raise ValueError(f"`{prefix}loss`: 'raft' is for answers of one token, 'number' for longer ones. Choose one.")


def check_grid(name: str, grid: Any) -> None:
    """Raise `ValueError`, naming the setting, for what is no list of two or more answers."""
    if not isinstance(grid, list):
        raise ValueError(f"`{name}` is {short(grid)}; it must be a list of answers, such as [1, 2, 3, 4, 5].")
    for answer in grid:
        check_number(name, answer)
    if len(set(grid)) < 2:
        raise ValueError(f"`{name}` is {short(grid)}; it must have two or more answers.")
