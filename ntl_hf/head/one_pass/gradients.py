"""`HeadGradients`: where the gradients of a head are summed up, chunk by chunk."""

import torch
from torch import Tensor

from ..slices import slices

# Rows of the weight whose gradient is made at a time in half precision, before it is added in float32.
_WEIGHT_ROWS = 2**14


class HeadGradients:
    """Gradients with respect to the hidden states, the weight and the bias, as far as they are wanted.

    Args:
        hidden: `[N, H]`.
        weight: `[V, H]`, in the dtype of the products.
        number_ids: `[D]`.
        wanted: whether hidden states, weight and bias need one.
    """

    def __init__(self, hidden: Tensor, weight: Tensor, number_ids: Tensor, wanted: tuple[bool, bool, bool]) -> None:
        self._weight, self._number_ids = weight, number_ids
        dtype = torch.promote_types(weight.dtype, torch.float32)
        self._number_rows = weight.index_select(0, number_ids).to(dtype)
        # Not in float16, whose range they may leave before the loss is scaled.
        self.hidden = torch.zeros_like(hidden, dtype=dtype) if wanted[0] else None
        self.weight = torch.zeros(weight.shape, dtype=dtype, device=weight.device) if wanted[1] else None
        self._number_weight = torch.zeros_like(self._number_rows) if wanted[1] else None
        self.bias = torch.zeros(weight.shape[0], dtype=dtype, device=weight.device) if wanted[2] else None

    def add(self, rows: Tensor, hidden: Tensor, gradient: Tensor, number_gradient: Tensor | None) -> None:
        """Add a chunk of c positions.

        Args:
            rows: which of the N, `[c]`.
            hidden: their hidden states, `[c, H]`, in the dtype of the products.
            gradient: with respect to the projection, `[c, V]`, in that dtype.
            number_gradient: what comes on top in the number columns, `[c, D]`, float32 (float64 for float64); None
                if nothing does.
        """
        if self.hidden is not None:
            result = torch.mm(gradient, self._weight)
            if number_gradient is not None:
                result = torch.addmm(result.to(number_gradient.dtype), number_gradient, self._number_rows)
            self.hidden.index_copy_(0, rows, result.to(self.hidden.dtype))
        if self.weight is not None:
            self._add_weight(hidden, gradient)
            if number_gradient is not None:
                self._number_weight.addmm_(number_gradient.T, hidden.to(number_gradient.dtype))
        if self.bias is not None:
            self.bias.add_(gradient.sum(0, dtype=self.bias.dtype))
            if number_gradient is not None:
                self.bias.index_add_(0, self._number_ids, number_gradient.sum(0))

    def _add_weight(self, hidden: Tensor, gradient: Tensor) -> None:
        if gradient.dtype == self.weight.dtype:
            self.weight.addmm_(gradient.T, hidden)
            return
        # Half precision: each product is summed in float32 inside and rounded once, and so is their sum.
        for part in slices(len(self.weight), _WEIGHT_ROWS):
            self.weight[part] += torch.mm(gradient[:, part].T, hidden)

    def finish(self) -> None:
        """Call once after the last chunk."""
        if self.weight is not None:
            self.weight.index_add_(0, self._number_ids, self._number_weight)
