"""What is refused of the settings in `NTLConfig`: values out of range, and values that exclude each other."""

import math
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from .json_settings import is_number
from .losses import BOUNDED_LOSSES, LOSS_FACTS

CHOICES = {
    "weight_schedule": ("constant", "linear", "cosine"),
    "head": ("auto", "fused", "logits"),
    "number_error": ("relative", "log", "absolute"),
    "place_weights": ("none", "ntil", "del"),
    "balance": ("none", "loss", "gradient"),
}


def check_ranges(config: Any, prefix: str) -> None:
    """Raise `ValueError` for the first setting that is out of its range; `prefix` goes before its name."""
    for name, allowed in CHOICES.items():
        _check_choice(prefix + name, getattr(config, name), allowed)
    for name in ("digits_only", "reweigh"):
        if not isinstance(getattr(config, name), bool):
            raise ValueError(f"`{prefix}{name}` is {getattr(config, name)!r}; it must be true or false.")
    for name in ("weight", "gaussian_sigma", "warmup_steps"):
        _check_number(prefix + name, getattr(config, name), minimum=0)
    for name in ("huber_delta", "kernel_sigma", "dist2_temperature", "place_base"):
        _check_number(prefix + name, getattr(config, name), minimum=0, exclusive=True)
    _check_number(prefix + "p", config.p, minimum=1)
    _check_number(prefix + "energy_beta", config.energy_beta, minimum=0, exclusive=True, below=2)
    if config.squash_factor is not None:
        _check_number(prefix + "squash_factor", config.squash_factor, minimum=1, exclusive=True)
    if config.raft_grid is not None:
        _check_grid(prefix + "raft_grid", config.raft_grid)


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


def _check_grid(name: str, grid: Any) -> None:
    if not isinstance(grid, list):
        raise ValueError(f"`{name}` is {grid!r}; it must be a list of answers, such as [1, 2, 3, 4, 5].")
    for answer in grid:
        _check_number(name, answer, minimum=0)
    if len(set(grid)) < 2:
        raise ValueError(f"`{name}` is {grid!r}; it must have two or more answers.")


def _check_choice(name: str, value: str, allowed: Collection[str]) -> None:
    if value in allowed:
        return
    near = get_close_matches(str(value).lower(), allowed, n=1, cutoff=0.4)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise ValueError(f"`{name}` is {value!r}, which is unknown.{hint} Choose one of: {', '.join(allowed)}.")


def _check_number(name: str, value: Any, minimum: float, exclusive: bool = False, below: float = math.inf) -> None:
    if is_number(value) and (value > minimum if exclusive else value >= minimum) and value < below:
        return
    bound = f"above {minimum}" if exclusive else f"{minimum} or more"
    bound += f" and below {below}" if math.isfinite(below) else ""
    raise ValueError(f"`{name}` is {value!r}; it must be a finite number, {bound}.")
