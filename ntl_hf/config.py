"""`NTLConfig`: what is added to cross entropy, and its copy on disk beside the weights."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

LOSSES = ("was", "mse", "mae", "huber", "lp")
SCHEDULES = ("constant", "linear", "cosine")
HEADS = ("auto", "fused", "logits")
FILE_NAME = "ntl_config.json"


def _setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass
class NTLConfig:
    """Settings of the Number Token Loss; the defaults are the paper's (arXiv 2411.02083).

    The argument classes (`NTLTrainingArguments`, `NTLSFTConfig`, ...) carry the same fields with the prefix `ntl_`.

    Raises:
        ValueError: a setting is out of its range or unknown; the message names the setting, in the spelling of the
            class that carries it.
    """

    weight: float = _setting(0.3, "Factor of the number loss: loss = CE + weight * NTL. 0 trains with CE alone.")
    loss: str = _setting(
        "was",
        "Number loss: 'was' (Wasserstein-1), or a loss of the expected value: 'mse', 'mae', 'huber', 'lp' "
        "(|error| ** p).",
    )
    digits_only: bool = _setting(
        True, "Count single digits alone as numbers. False adds the tokens of several digits, such as '345'."
    )
    reweigh: bool = _setting(
        False,
        "Weigh the number loss by the probability on number tokens and charge 1.01 times the largest distance for "
        "the rest.",
    )
    squash_factor: float | None = _setting(
        None,
        "For 'was': rescale distances so that the furthest number costs this many times the nearest wrong one. "
        "Above 1.",
    )
    gaussian_sigma: float = _setting(
        0.0,
        "Gaussian label smoothing of number tokens (Gaussian cross entropy): standard deviation of the targets, in "
        "units of the values. 'was' then measures the distance to them. 0: the true token alone.",
    )
    p: float = _setting(2.0, "Exponent of 'lp'. At least 1.")
    huber_delta: float = _setting(1.0, "Error, in units of the values, at which 'huber' turns from square to linear.")
    weight_schedule: str = _setting(
        "constant", "Course of the weight after warm-up: 'constant', or 'linear' or 'cosine' decay to 0 at max_steps."
    )
    warmup_steps: float = _setting(
        0.0, "Steps over which the weight rises linearly from 0; below 1, a fraction of max_steps."
    )
    head: str = _setting(
        "auto",
        "Where the loss is made: 'fused' (from hidden states, without logits), 'logits', or 'auto': 'fused' where the "
        "model allows it. The same loss either way.",
    )

    def __post_init__(self) -> None:
        self.check()

    def check(self, prefix: str = "") -> None:
        """Raise `ValueError` for the first setting that is out of range; `prefix` goes before its name."""
        for name, allowed in (("loss", LOSSES), ("weight_schedule", SCHEDULES), ("head", HEADS)):
            _check_choice(prefix + name, getattr(self, name), allowed)
        for name in ("digits_only", "reweigh"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"`{prefix}{name}` is {getattr(self, name)!r}; it must be true or false.")
        _check_number(prefix + "weight", self.weight, minimum=0)
        _check_number(prefix + "gaussian_sigma", self.gaussian_sigma, minimum=0)
        _check_number(prefix + "p", self.p, minimum=1)
        _check_number(prefix + "huber_delta", self.huber_delta, minimum=0, exclusive=True)
        _check_number(prefix + "warmup_steps", self.warmup_steps, minimum=0)
        if self.squash_factor is not None and self.gaussian_sigma > 0:
            raise ValueError(
                f"`{prefix}squash_factor` goes with the distances to one true number, and `{prefix}gaussian_sigma` "
                "makes many of it. Remove one of them."
            )
        if self.squash_factor is not None:
            _check_number(prefix + "squash_factor", self.squash_factor, minimum=1, exclusive=True)
            if self.loss != "was":
                raise ValueError(
                    f"`{prefix}squash_factor` rescales the distances of '{prefix}loss=was'; '{self.loss}' has none. "
                    f"Remove it, or set `{prefix}loss` to 'was'."
                )

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
            ValueError: the file is not JSON, or holds a setting that this version does not know.
        """
        path = Path(folder) / FILE_NAME
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not valid JSON: {error}") from error
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"{path} has settings that this version of ntl_hf does not know: {sorted(unknown)}.")
        return cls(**values)

    def differences(self, other: "NTLConfig") -> list[str]:
        """Describe each setting in which `other` differs: `"weight: 0.3 -> 0.5"`."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{name}: {mine[name]!r} -> {theirs[name]!r}" for name in mine if mine[name] != theirs[name]]


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value in allowed:
        return
    near = get_close_matches(str(value).lower(), allowed, n=1, cutoff=0.4)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise ValueError(f"`{name}` is {value!r}, which is unknown.{hint} Choose one of: {', '.join(allowed)}.")


def _check_number(name: str, value: float, minimum: float, exclusive: bool = False) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and (value > minimum if exclusive else value >= minimum):
        return
    bound = f"above {minimum}" if exclusive else f"{minimum} or more"
    raise ValueError(f"`{name}` is {value!r}; it must be a finite number, {bound}.")
