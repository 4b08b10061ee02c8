"""The sums that the pictures of an evaluation are made of, of fixed size for each row, from the head's output."""

import torch
from torch import Tensor

from ..losses import number_probs
from ..losses.head_output import HeadOutput
from ..losses.number_losses import neutral_inputs
from ..tokens.number_layout.kinds import begins_word
from ..tokens.number_vocab import NumberVocab
from .beliefs import DIGITS, POSITIONS


class BeliefMeter:
    """Adds up on the device what the model believes of digits, over the batches of an evaluation.

    Tokens that write the same digit (`5`, `Ġ5`) are one; probabilities are among the ten digits, whatever else there
    is. Labels of several digits are left out.

    Args:
        vocab: the number tokens.

    Raises:
        ValueError: none of them is a single digit.
    """

    def __init__(self, vocab: NumberVocab) -> None:
        self._belongs = (vocab.values.unsqueeze(1) == torch.arange(DIGITS)).float()
        if not self._belongs.any():
            raise ValueError("The plots are of single digits, and the tokenizer has no token of one: leave them out.")
        self._begins = torch.tensor([begins_word(token) for token in vocab.tokens])
        self._total: Tensor | None = None

    def add(self, sums: Tensor) -> None:
        """Add the sums of the rows of a batch, `[B, 156]`, of all processes."""
        total = sums.sum(0)
        self._total = total if self._total is None else self._total + total

    def read(self) -> list[float] | None:
        """The sums so far, 156 of them in the order of `SHAPES`; None if nothing was added. Reads from the device."""
        return None if self._total is None else self._total.double().tolist()

    @torch.no_grad()
    def sums(self, head: HeadOutput) -> Tensor:
        """What `add` takes, of each row of a batch, `[B, 156]`, float64 (float32 on Apple's devices)."""
        device = head.target.device
        if self._belongs.device != device:
            self._belongs, self._begins = self._belongs.to(device), self._begins.to(device)
        # On Apple's devices, autocast would run the products below in half precision.
        with torch.autocast(device.type, enabled=False):
            return self._sums(head)

    def _sums(self, head: HeadOutput) -> Tensor:
        dtype = torch.float32 if head.target.device.type == "mps" else torch.float64
        belongs = self._belongs.to(dtype)
        target, logits = neutral_inputs(head.number_logits, head.target)
        true = belongs[target] * (head.target >= 0).unsqueeze(-1)
        is_digit = true.sum(-1)
        probs = number_probs(logits.masked_fill(belongs.sum(-1) == 0, -torch.inf)).to(dtype) @ belongs
        values = torch.arange(DIGITS, device=target.device, dtype=dtype)
        expected, value = probs @ values, true @ values
        bins = _one_hot((expected + 0.5).floor().long(), DIGITS, is_digit)
        places = _one_hot(self._positions(head.target, target), POSITIONS, is_digit)
        parts = (
            true.transpose(-1, -2) @ probs,
            true.sum(1),
            bins.sum(1),
            _weighted(bins, expected),
            _weighted(bins, value),
            places.sum(1),
            _weighted(places, (expected - value).abs()),
        )
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    def _positions(self, columns: Tensor, target: Tensor) -> Tensor:
        """How many tokens of its number stand before each one, `[B, T]`; a leading space begins another number."""
        is_number = columns >= 0
        follows = torch.zeros_like(is_number)
        follows[:, 1:] = is_number[:, :-1]
        index = torch.arange(columns.shape[1], device=columns.device).expand_as(columns)
        start = index.masked_fill(follows & ~self._begins[target], 0).cummax(-1).values
        return index - start


def _one_hot(index: Tensor, size: int, mask: Tensor) -> Tensor:
    """`[B, T, size]`, of the dtype of `mask`, 0 where that is; indices beyond are the nearest."""
    is_here = index.clamp(0, size - 1).unsqueeze(-1) == torch.arange(size, device=index.device)
    return is_here * mask.unsqueeze(-1)


def _weighted(kinds: Tensor, value: Tensor) -> Tensor:
    return (kinds * value.unsqueeze(-1)).sum(1)
