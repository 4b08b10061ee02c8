"""Where the gradients of a head are summed up, chunk by chunk, in float32."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..slices import slices

# Rows of the weight whose gradient is made at a time in half precision, before it is added in float32.
_WEIGHT_ROWS = 2**14


@dataclass(frozen=True)
class Chunk:
    """What c positions contribute.

    Attributes:
        rows: which of the N, `[c]`.
        states: their hidden states, `[c, H]`, in the dtype of the products.
        gradient: with respect to the projection, `[c, V]`, in that dtype.
        number_gradient: what comes on top in the watched columns, `[c, W]`, float32 (float64 for float64), or None.
    """

    rows: Tensor
    states: Tensor
    gradient: Tensor
    number_gradient: Tensor | None


class Gradient(Protocol):
    """The gradient of one input of the head."""

    def add(self, chunk: Chunk) -> None:
        """Add what a chunk contributes."""

    def add_numbers(self, rows: Tensor, states: Tensor, number_gradient: Tensor) -> None:
        """Add what comes on top in the watched columns of some rows, which a chunk has left out."""

    def total(self) -> Tensor:
        """The sum, once all chunks are added; float32 (float64 for float64), in float16 it may be out of range."""


class HiddenGradient:
    """Of the hidden states, `[N, H]`."""

    def __init__(self, positions: int, weight: Tensor, watched_ids: Tensor) -> None:
        self._weight = weight
        self._number_rows = weight.index_select(0, watched_ids).to(_full(weight))
        self._sum = weight.new_zeros(positions, weight.shape[1], dtype=_full(weight))

    def add(self, chunk: Chunk) -> None:
        result = torch.mm(chunk.gradient, self._weight).to(self._sum.dtype)
        if chunk.number_gradient is not None:
            result.addmm_(chunk.number_gradient, self._number_rows)
        self._sum.index_copy_(0, chunk.rows, result)

    def add_numbers(self, rows: Tensor, states: Tensor, number_gradient: Tensor) -> None:
        self._sum.index_add_(0, rows, number_gradient @ self._number_rows)

    def total(self) -> Tensor:
        return self._sum


class WeightGradient:
    """Of the weight, `[V, H]`."""

    def __init__(self, weight: Tensor, watched_ids: Tensor) -> None:
        self._watched_ids = watched_ids
        self._sum = torch.zeros_like(weight, dtype=_full(weight))
        self._number_sum = self._sum.new_zeros(len(watched_ids), weight.shape[1])

    def add(self, chunk: Chunk) -> None:
        if chunk.gradient.dtype == self._sum.dtype:
            self._sum.addmm_(chunk.gradient.T, chunk.states)
        else:
            # A product in half precision is summed in float32 inside, and rounded once.
            for part in slices(len(self._sum), _WEIGHT_ROWS):
                self._sum[part] += torch.mm(chunk.gradient[:, part].T, chunk.states)
        if chunk.number_gradient is not None:
            self.add_numbers(chunk.rows, chunk.states, chunk.number_gradient)

    def add_numbers(self, rows: Tensor, states: Tensor, number_gradient: Tensor) -> None:
        self._number_sum.addmm_(number_gradient.T, states.to(self._number_sum.dtype))

    def total(self) -> Tensor:
        return self._sum.index_add_(0, self._watched_ids, self._number_sum)


class BiasGradient:
    """Of the bias, `[V]`."""

    def __init__(self, weight: Tensor, watched_ids: Tensor) -> None:
        self._watched_ids = watched_ids
        self._sum = weight.new_zeros(weight.shape[0], dtype=_full(weight))

    def add(self, chunk: Chunk) -> None:
        self._sum.add_(chunk.gradient.sum(0, dtype=self._sum.dtype))
        if chunk.number_gradient is not None:
            self.add_numbers(chunk.rows, chunk.states, chunk.number_gradient)

    def add_numbers(self, rows: Tensor, states: Tensor, number_gradient: Tensor) -> None:
        self._sum.index_add_(0, self._watched_ids, number_gradient.sum(0))

    def total(self) -> Tensor:
        return self._sum


def _full(weight: Tensor) -> torch.dtype:
    return torch.promote_types(weight.dtype, torch.float32)
