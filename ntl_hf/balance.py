"""`Balance`: keeps the share of each term of the number loss, relative to cross entropy, where its weight says."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

FILE_NAME = "ntl_balance.json"
# Of what was known before, at each step.
_MEMORY = 0.9
# A term that is all but learnt has nothing to give, whatever it is multiplied by.
_LARGEST_SCALE = 1e3


class Balance:
    """Scales of the terms, from the sizes of cross entropy and terms over the optimizer steps before.

    scale_i = size of CE / size of term i, each averaged over the steps with a memory of 0.9, so that a term of weight
    w adds w times what CE does. The scales are constants to the gradient. They are those of whole steps, over all
    micro-batches and processes, because one that was made of a micro-batch would depend on how the step is cut; the
    first step only measures, and trains on CE alone. At most 1,000.

    Source of the idea: NTIL's code (arXiv 2505.13077) scales by CE / loss of each micro-batch.

    Args:
        scales: of the terms, `[terms]`; written in place.
    """

    def __init__(self, scales: Tensor) -> None:
        self.scales = scales.zero_()
        self._sums: Tensor | None = None
        self._sizes: Tensor | None = None

    def add(self, sums: Tensor) -> None:
        """Add the sums of a micro-batch: sizes of CE and of each term, and two counts to divide them by.

        Args:
            sums: `[terms + 3]`: CE, the labels that it is over, the number tokens that the terms are over, and the
                terms.
        """
        self._sums = sums if self._sums is None else self._sums + sums

    def step(self, reduce: Callable[[Tensor], Tensor], root: bool) -> None:
        """Make the scales of the next step; without reading anything back.

        Args:
            reduce: adds a tensor up over all processes, which call this together.
            root: whether the sums are of squares.
        """
        if self._sums is None:
            return
        ce, labels, numbers, *terms = reduce(self._sums).unbind()
        self._sums = None
        sizes = torch.stack([ce, *terms])
        sizes = (sizes.sqrt() if root else sizes) / torch.stack([labels, *[numbers] * len(terms)]).clamp_min(1)
        known = torch.zeros_like(sizes) if self._sizes is None else self._sizes.to(sizes)
        found = torch.where(known[0] > 0, torch.lerp(sizes, known, _MEMORY), sizes)
        # A step without numbers says nothing.
        self._sizes = torch.where(numbers > 0, found, known)
        self._write()

    def _write(self) -> None:
        assert self._sizes is not None
        ratio = self._sizes[0] / self._sizes[1:].clamp_min(torch.finfo(torch.float32).tiny)
        self.scales.copy_(ratio.clamp(max=_LARGEST_SCALE))

    def read(self, names: Sequence[str]) -> dict[str, float]:
        """The scales for the log, by the names of the terms."""
        return {f"ntl_{name}_scale": scale for name, scale in zip(names, self.scales.tolist(), strict=True)}

    def save(self, folder: str | Path) -> None:
        """Write what is known as `ntl_balance.json` into `folder`."""
        sizes = None if self._sizes is None else self._sizes.tolist()
        (Path(folder) / FILE_NAME).write_text(json.dumps({"sizes": sizes}) + "\n", encoding="utf-8")

    def load(self, folder: str | Path | None) -> None:
        """Go on from what `save` wrote; where there is no folder or no such file, start anew."""
        path = None if folder is None else Path(folder) / FILE_NAME
        found = path is not None and path.exists()
        sizes = json.loads(path.read_text(encoding="utf-8"))["sizes"] if path is not None and found else None
        self._sizes = None if sizes is None else torch.tensor(sizes, device=self.scales.device)
        if self._sizes is None:
            self.scales.zero_()
        else:
            self._write()
