"""`NumberScaling`: between the numbers of a text and the range in which a number head reads and predicts them."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ..settings.checks import is_number

KINDS = ("none", "range", "signed_log")
# xVal rescales its numbers to [-5, 5].
_LIMIT = 5.0
LARGEST = torch.finfo(torch.float32).max
_LN_10 = math.log(10)


@dataclass(frozen=True)
class NumberScaling:
    """How numbers are scaled.

    Args:
        kind: "none"; "range": x * 5 / largest, as in xVal (Golkar et al. 2023, arXiv 2310.02989); "signed_log":
            sign(x) * log10(|x| + 1), as the code of the NTL paper has it (github.com/tum-ai/number-token-loss).
        largest: the number that "range" maps to 5; the other kinds have no use for it.

    Raises:
        ValueError: an unknown kind, or a `largest` that is not a positive float32.
    """

    kind: str = "none"
    largest: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"`kind` of a number scaling must be one of {', '.join(KINDS)}, not {self.kind!r}.")
        # A denormal number would overflow where it divides.
        if not is_number(self.largest) or self.largest < torch.finfo(torch.float32).tiny:
            raise ValueError(f"`largest` is {self.largest!r}; it must be a positive number within float32.")

    def scale(self, values: Tensor) -> Tensor:
        """From numbers of the text to those of the head: float32, same shape."""
        values = values.float()
        if self.kind == "range":
            # Divided first: the product would overflow for the largest numbers.
            return values / self.largest * _LIMIT
        if self.kind == "signed_log":
            return values.sign() * values.abs().log1p() / _LN_10
        return values

    def unscale(self, values: Tensor) -> Tensor:
        """The inverse of `scale`: float32, same shape; what is beyond float32 becomes its largest number."""
        values = values.float()
        if self.kind == "range":
            values = values / _LIMIT * self.largest
        elif self.kind == "signed_log":
            values = values.sign() * (values.abs() * _LN_10).expm1()
        return values.clamp(-LARGEST, LARGEST)

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` takes, for a model's config."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "NumberScaling":
        """The scaling that `to_dict` described.

        Raises:
            ValueError: the settings are not those of a scaling.
        """
        if not isinstance(settings, dict):
            raise ValueError(f"The number scaling is {settings!r}; it must have `kind` and `largest`.")
        unknown = settings.keys() - {"kind", "largest"}
        if unknown:
            raise ValueError(f"A number scaling has no settings {sorted(unknown)}; it has `kind` and `largest`.")
        return cls(**settings)

    @classmethod
    def fit(cls, kind: str, values: Iterable[float]) -> "NumberScaling":
        """The scaling of a kind for the numbers of a training set: "range" maps the largest of them to 5 or -5.

        Raises:
            ValueError: an unknown kind; for "range", no numbers, zeros alone, or one that is not finite.
        """
        if kind != "range":
            return cls(kind)
        sizes = [abs(float(value)) for value in values]
        if not sizes:
            raise ValueError("There are no numbers to find the range of; check the data, or take another scaling.")
        if not all(map(math.isfinite, sizes)):
            raise ValueError("A number is not finite, so there is no range; remove its row from the data.")
        if max(sizes) == 0:
            raise ValueError("All numbers are 0, so there is no range; take the scaling 'none' or 'signed_log'.")
        return cls(kind, max(sizes))


def scaling_of(config: Any) -> NumberScaling:
    """The scaling that the config of a model with a number head describes; raises as `NumberScaling.from_dict`."""
    return NumberScaling.from_dict(config.number_scaling)
