"""`Balance`: keeps the share of each term of the number loss, relative to cross entropy, where its weight says."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..settings.checks import check_number
from ..settings.json_settings import read_settings
from . import NumberLoss

FILE_NAME = "ntl_balance.json"
_ADVICE = "Resume from another checkpoint, or remove the file, so that the balance starts anew."
# Of what was known before, at each step.
_MEMORY = 0.9
# A term that is all but learnt has nothing to give, whatever it is multiplied by.
_LARGEST_FACTOR = 1e3


class Balance:
    """Factors of the terms, from the sizes of cross entropy and terms over the optimizer steps before.

    factor_i = size of CE / size of term i, each averaged over the steps with a memory of 0.9, so that a term of weight
    w adds w times what CE does. The factors are constants to the gradient. They are those of whole steps, over all
    micro-batches and processes, because one that was made of a micro-batch would depend on how the step is cut; the
    first step only measures, and trains on CE alone. At most 1,000.
    In evaluation they are 1.

    Source of the idea: NTIL's code (arXiv 2505.13077) scales by CE / loss of each micro-batch.

    Args:
        number_loss: whose `balance_factors` are written; wherever its buffers move.
        kind: "loss" or "gradient", what the sizes are of.
        reduce: adds a tensor up over all processes, which make their steps together; None where there is one.
    """

    def __init__(self, number_loss: NumberLoss, kind: str, reduce: Callable[[Tensor], Tensor] | None = None) -> None:
        self._number_loss, self._kind, self._reduce = number_loss, kind, reduce
        number_loss.balance_factors.zero_()
        self._sums: Tensor | None = None
        self._sizes: Tensor | None = None

    def add(self, sums: Tensor) -> None:
        """Add the sums of a micro-batch: sizes of CE and of each term, and two counts to divide them by.

        Args:
            sums: `[terms + 3]`: CE, the labels that it is over, the number tokens that the terms are over, and the
                terms.
        """
        self._sums = sums if self._sums is None else self._sums + sums

    def step(self) -> None:
        """Make the factors of the next step; without reading anything back."""
        if self._sums is None:
            return
        sums = self._sums if self._reduce is None else self._reduce(self._sums)
        ce, labels, numbers, *terms = sums.unbind()
        self._sums = None
        sizes = torch.stack([ce, *terms])
        # Of gradients, there are sums of squares.
        sizes = sizes.sqrt() if self._kind == "gradient" else sizes
        sizes = sizes / torch.stack([labels, *[numbers] * len(terms)]).clamp_min(1)
        known = torch.zeros_like(sizes) if self._sizes is None else self._sizes.to(sizes)
        found = torch.where(known[0] > 0, torch.lerp(sizes, known, _MEMORY), sizes)
        # A step without numbers says nothing, nor does one that is out of range.
        self._sizes = torch.where((numbers > 0) & found.isfinite().all(), found, known)
        self._write()

    def _write(self) -> None:
        assert self._sizes is not None
        ratio = self._sizes[0] / self._sizes[1:].clamp_min(torch.finfo(torch.float32).tiny)
        self._number_loss.balance_factors.copy_(ratio.clamp(max=_LARGEST_FACTOR))

    def read(self) -> dict[str, float]:
        """The factors for the log, by the names of the terms."""
        factors = self._number_loss.balance_factors.tolist()
        return {f"ntl_{name}_scale": factor for name, factor in zip(self._number_loss.names, factors, strict=True)}

    def save(self, folder: str | Path) -> None:
        """Write what is known as `ntl_balance.json` into `folder`."""
        known = {"kind": self._kind, "sizes": self._by_name()}
        (Path(folder) / FILE_NAME).write_text(json.dumps(known) + "\n", encoding="utf-8")

    def _by_name(self) -> dict[str, float] | None:
        if self._sizes is None:
            return None
        return dict(zip(("ce", *self._number_loss.names), self._sizes.tolist(), strict=True))

    @staticmethod
    def check(folder: str | Path) -> None:
        """Raise `ValueError` if `folder` has a damaged `ntl_balance.json`: see `load`."""
        path = Path(folder) / FILE_NAME
        if path.exists():
            _read(path)

    def load(self, folder: str | Path | None) -> None:
        """Go on from what `save` wrote; where there is nothing, or that of another balance, start anew.

        Args:
            folder: the checkpoint, or None.

        Raises:
            ValueError: the file is damaged: no JSON, or sizes that are no finite numbers of 0 or more.
        """
        self._sums = self._sizes = None
        self._number_loss.balance_factors.zero_()
        path = None if folder is None else Path(folder) / FILE_NAME
        if path is None or not path.exists():
            return
        kind, sizes = _read(path)
        names = ("ce", *self._number_loss.names)
        if sizes is not None and (kind != self._kind or set(sizes) != set(names)):
            warnings.warn(f"{path} is of another balance than this run's, which starts anew.")
        elif sizes is not None:
            device = self._number_loss.balance_factors.device
            self._sizes = torch.tensor([float(sizes[name]) for name in names], device=device)
            self._write()


def _read(path: Path) -> tuple[str, dict[str, float] | None]:
    """Kind and sizes of a file; `ValueError` if it is damaged, for a NaN in it would be trained into the weights."""
    saved = read_settings(path, _ADVICE)
    kind, sizes = saved.get("kind"), saved.get("sizes")
    if not isinstance(kind, str) or "sizes" not in saved or not isinstance(sizes, dict | None):
        raise ValueError(f"{path} must hold `kind`, a text, and `sizes`, names with numbers or null. {_ADVICE}")
    try:
        for name, size in (sizes or {}).items():
            check_number(f"sizes.{name}", size)
    except ValueError as error:
        raise ValueError(f"{path}: {error} {_ADVICE}") from error
    return kind, sizes
