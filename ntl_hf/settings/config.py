"""`NTLConfig`: what is added to cross entropy, and its copy on disk beside the weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from .checks import check_fields, check_flag, check_number, documented, setting, short
from .json_settings import read_settings
from .loss_terms import LossTerm, parse_loss
from .losses import BOUNDED_LOSSES, LOSS_FACTS

FILE_NAME = "ntl_config.json"
# Of the same settings as fields of argument classes, and in files of several programs.
PREFIX = "ntl_"
_ADVICE = "Correct the file, or take another checkpoint."


def _number(default: float | None, **bounds: Any) -> Any:
    return setting(default, partial(check_number, **bounds))


def _check_grid(name: str, grid: Any) -> None:
    """Raise `ValueError`, naming the setting, for what is no list of two or more answers."""
    if not isinstance(grid, list):
        raise ValueError(f"`{name}` is {short(grid)}; it must be a list of answers, such as [1, 2, 3, 4, 5].")
    for answer in grid:
        check_number(name, answer)
    if len(set(grid)) < 2:
        raise ValueError(f"`{name}` is {short(grid)}; it must have two or more answers.")


@documented
@dataclass
class NTLConfig:
    """Settings of the Number Token Loss; the defaults are the paper's (arXiv 2411.02083).

    The argument classes (`NTLTrainingArguments`, `NTLSFTConfig`, ...) carry the same fields with the prefix `ntl_`.

    Attributes:
        weight: Factor of the number loss: loss = CE + weight * NTL, for terms without a weight of their own. 0 trains
            with CE alone, whatever the terms.
        loss: Number loss, or several with their weights, such as 'crps:0.5+number:0.1': 'was' (Wasserstein-1 distance
            to the truth), 'mse' (squared error of the expected value), 'mae' (absolute error of the expected value),
            'huber' (Huber loss of the expected value), 'lp' (|error of the expected value| ** p), 'crps' (continuous
            ranked probability score), 'energy' (energy score), 'mmd' (maximum mean discrepancy), 'smmd' (the same,
            smoothed), 'dist2' (divergence from soft targets around the truth), 'del' (digit entropy), 'raft'
            (regression-aware fine-tuning, for answers of one token), 'number' (error of the whole number).
        digits_only: Count single digits alone as numbers. False adds the tokens of several digits, such as '345'.
        reweigh: Weigh the number loss by the probability on number tokens and charge 1.01 times the largest distance
            for the rest.
        squash_factor: For 'was': rescale distances so that the furthest number costs this many times the nearest wrong
            one. Above 1.
        gaussian_sigma: Gaussian label smoothing of number tokens (Gaussian cross entropy): standard deviation of the
            targets, in units of the values. 'was' then measures the distance to them. 0: the true token alone.
        p: Exponent of 'lp'. At least 1.
        huber_delta: Error, in units of the values, at which 'huber' turns from square to linear.
        energy_beta: Exponent of the distances of 'energy', above 0 and below 2; 1 is 'crps'.
        kernel_sigma: Width of the Gaussian kernel of 'mmd' and 'smmd', in units of the values.
        dist2_temperature: Temperature of the soft targets of 'dist2', in units of the values.
        raft_grid: The answers that 'raft' takes its expected value over, each one token. Default: all number tokens.
        number_error: What 'number' measures between expected and true number: 'relative' (at most 2), 'log'
            (magnitudes) or 'absolute' (units of the numbers).
        place_weights: Weigh the loss of each token by its decimal place: 'none', 'ntil' (place_base ** place) or 'del'
            (twice the number of the place from the units on, nearly 1 after the point).
        place_base: Base of 'place_weights=ntil'. Above 0.
        balance: Scale each term so that its weight is its share of CE, as found in the steps before: 'none', 'loss'
            (sizes of the losses) or 'gradient' (sizes of the gradients of the number logits).
        weight_schedule: Course of the weight after warm-up: 'constant', or 'linear' or 'cosine' decay to 0 at
            max_steps.
        warmup_steps: Steps over which the weight rises linearly from 0; below 1, a fraction of max_steps.
        head: Where the loss is made: 'fused' (from hidden states, without logits), 'logits', or 'auto': 'fused' where
            the model allows it. The same loss either way.

    Raises:
        ValueError: a setting is out of its range or unknown; the message names the setting, in the spelling of the
            class that carries it.
    """

    weight: float = _number(0.3)
    loss: str = "was"
    digits_only: bool = setting(True, check_flag)
    reweigh: bool = setting(False, check_flag)
    squash_factor: float | None = _number(None, above=1)
    gaussian_sigma: float = _number(0.0)
    p: float = _number(2.0, minimum=1)
    huber_delta: float = _number(1.0, above=0)
    energy_beta: float = _number(1.0, above=0, below=2)
    kernel_sigma: float = _number(2.0, above=0)
    dist2_temperature: float = _number(1.0, above=0)
    raft_grid: list[float] | None = setting(None, _check_grid)
    number_error: str = setting("relative", choices=["relative", "log", "absolute"])
    place_weights: str = setting("none", choices=["none", "ntil", "del"])
    place_base: float = _number(1.2, above=0)
    balance: str = setting("none", choices=["none", "loss", "gradient"])
    weight_schedule: str = setting("constant", choices=["constant", "linear", "cosine"])
    warmup_steps: float = _number(0.0)
    head: str = setting("auto", choices=["auto", "fused", "logits"])

    def __post_init__(self) -> None:
        self.check()

    def check(self, prefix: str = "") -> None:
        """Raise `ValueError` for the first setting that is out of range; `prefix` goes before its name."""
        self.loss = "+".join(str(term) for term in parse_loss(prefix + "loss", self.loss))
        check_fields(self, prefix)
        self._check_together(prefix)

    def _check_together(self, prefix: str) -> None:
        """Raise `ValueError` for settings that exclude each other."""
        names = {term.name for term in self.terms}
        squash, loss = f"`{prefix}squash_factor`", f"`{prefix}loss`"
        if self.squash_factor is not None and self.gaussian_sigma > 0:
            raise ValueError(
                f"{squash} goes with the distances to one true number, and `{prefix}gaussian_sigma` makes many of it. "
                "Remove one of them."
            )
        if self.squash_factor is not None and "was" not in names:
            raise ValueError(
                f"{squash} rescales the distances of '{prefix}loss=was'; '{self.loss}' has none. Remove it, or set "
                f"{loss} to 'was'."
            )
        if self.reweigh and not names <= set(BOUNDED_LOSSES):
            raise ValueError(
                f"`{prefix}reweigh` is for losses with a largest value ({', '.join(BOUNDED_LOSSES)}); {loss} is "
                f"'{self.loss}'. Remove it."
            )
        if self.place_weights != "none" and not any(LOSS_FACTS[name].takes_place_weights for name in names):
            raise ValueError(
                f"`{prefix}place_weights` weigh single tokens; '{self.loss}' has places of its own. Set it to 'none'."
            )
        if {"raft", "number"} <= names:
            raise ValueError(f"{loss}: 'raft' is for answers of one token, 'number' for longer ones. Choose one.")

    @classmethod
    def from_prefixed(cls, values: Mapping[str, Any]) -> "NTLConfig":
        """The settings among `values` that have the prefix `ntl_`; those that are absent have their defaults.

        Raises:
            ValueError: a setting is out of range; the message names it with its prefix.
        """
        config = cls()
        for each in fields(cls):
            setattr(config, each.name, values.get(PREFIX + each.name, each.default))
        config.check(PREFIX)
        return config

    @property
    def terms(self) -> tuple[LossTerm, ...]:
        """The terms of the number loss."""
        return parse_loss("loss", self.loss)

    @property
    def term_weights(self) -> tuple[float, ...]:
        """Factor of each term in NTL: loss = CE + scale * sum_i term_weights_i * term_i."""
        if not self.terms_have_weights:
            return (1.0,) * len(self.terms)
        return tuple(self.weight if term.weight is None else term.weight for term in self.terms)

    @property
    def scale(self) -> float:
        """Factor of NTL beside CE: `weight`, or 1 where the terms bring their weights; 0 at weight 0."""
        return 1.0 if self.terms_have_weights and self.weight > 0 else float(self.weight)

    @property
    def terms_have_weights(self) -> bool:
        """Whether the terms bring their weights, such as "was:0.2+crps:0.1"."""
        return any(term.weight is not None for term in self.terms)

    @property
    def reads_text(self) -> bool:
        """Whether the loss has to know where a token stands in its number, and not just the token."""
        return self.place_weights != "none" or any(LOSS_FACTS[term.name].reads_text for term in self.terms)

    @property
    def needs_mass(self) -> bool:
        """Whether the loss depends on the probability that the number tokens have together."""
        return self.reweigh or any(LOSS_FACTS[term.name].needs_mass for term in self.terms)

    @property
    def needs_numbers(self) -> bool:
        """Whether anything but cross entropy is trained."""
        return self.weight > 0 or self.gaussian_sigma > 0

    def save(self, folder: str | Path) -> Path:
        """Write the settings as `ntl_config.json` into `folder`, which must exist, and return the file's path."""
        path = Path(folder) / FILE_NAME
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: str | Path) -> "NTLConfig":
        """Read the settings saved beside a checkpoint or adapter.

        Raises:
            FileNotFoundError: `folder` has no `ntl_config.json`.
            ValueError: the file is not JSON, or holds a setting that this version does not know, or one that is
                refused; the message has the file and the setting.
        """
        path = Path(folder) / FILE_NAME
        values = read_settings(path, _ADVICE)
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"{path} has settings that this version of ntl_hf does not know: {sorted(unknown)}.")
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(f"{path}: {error} {_ADVICE}") from error

    def differences(self, other: "NTLConfig") -> list[str]:
        """Describe each setting in which `other` differs: `"weight: 0.3 -> 0.5"`."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{name}: {mine[name]!r} -> {theirs[name]!r}" for name in mine if mine[name] != theirs[name]]
