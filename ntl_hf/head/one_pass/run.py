"""The pass over the output projection, chunk by chunk, and the sums of its gradients."""

import torch
from torch import Tensor

from ...tokens.targets import IGNORE_INDEX, Targets
from .block import VALUES, HeadPlan, cross_entropies, differentiate_chunk, differentiate_numbers, slices

# A chunk of the projection, the largest buffer of all: 128 MiB. Larger ones gain little; smaller ones make the sum of
# the weight's gradient, which goes through memory once per chunk, more expensive.
_CHUNK_BYTES = 2**27
# Rows of the weight whose gradient is made at a time in half precision, before it is added in float32.
_WEIGHT_ROWS = 2**14


def run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Targets,
    sum_weight: Tensor | None,
    plan: HeadPlan,
    wanted: list[bool],
    dtype: torch.dtype,
) -> tuple[Tensor | None, ...]:
    """CE + sum_weight * NTL summed over the labelled positions, their values, and the gradients that are wanted.

    Args:
        hidden: `[N, H]`.
        weight: `[V, H]`.
        bias: `[V]`, or None.
        targets: of all N positions in a row.
        sum_weight: weight of the sum of the number loss, scalar; None leaves it out of the loss.
        plan: what is computed.
        wanted: whether `hidden`, `weight` and `bias` need a gradient.
        dtype: of the products.

    Returns:
        The loss, scalar, and the values, `[N, len(VALUES) + W]` for W watched tokens, 0 off the labels, both float32
        (float64 for float64); the gradients of `hidden`, `weight` and `bias`, float32 (float64 for float64).
    """
    # `dtype` has what autocast wants of the products; the rest, its own lists of operations aside, stays in float32.
    with torch.autocast(hidden.device.type, enabled=False):
        options = (plan, sum_weight, any(wanted))
        weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
        sums = _GradientSums(hidden, weight, targets.watched_ids, wanted)
        # The one read from the device: how many positions have a label.
        labelled = (targets.labels != IGNORE_INDEX).nonzero().squeeze(1)
        values = sums.zeros(len(hidden), len(VALUES) + len(targets.watched_ids))
        chunk_rows = max(1, min(len(labelled), _CHUNK_BYTES // (len(weight) * weight.element_size())))
        buffer = weight.new_empty(chunk_rows, len(weight))
        chunks = [labelled[part] for part in slices(len(labelled), chunk_rows)]
        for rows in chunks:
            states = hidden.index_select(0, rows).to(dtype)
            # Into the same memory for every chunk: fresh memory would cost a good part of the product's time.
            projection = buffer[: len(rows)]
            if bias is None:
                torch.mm(states, weight.T, out=projection)
            else:
                torch.addmm(bias, states, weight.T, out=projection)
            found, number_gradient = differentiate_chunk(projection, targets.select(rows), *options)
            values.index_copy_(0, rows, found)
            sums.add(rows, states, projection, number_gradient)
        # Whole numbers, once all of their positions are known.
        number_gradient = None if targets.layout is None else differentiate_numbers(values, targets, *options)
        if number_gradient is not None:
            for rows in chunks:
                states = hidden.index_select(0, rows).to(dtype)
                sums.add_numbers(rows, states, number_gradient.index_select(0, rows))
        return _loss(values, targets.labels, plan, sum_weight), values, *sums.totals()


def _loss(values: Tensor, labels: Tensor, plan: HeadPlan, sum_weight: Tensor | None) -> Tensor:
    column = dict(zip(VALUES, values.T, strict=False))
    losses = cross_entropies(column["log_probs"], column["mean_log_probs"], plan)
    loss = losses.masked_fill(labels == IGNORE_INDEX, 0.0).sum() + column["smoothing_terms"].sum()
    return loss if sum_weight is None else loss + sum_weight * column["number_losses"].sum()


class _GradientSums:
    """Gradients of hidden states, weight and bias, summed over chunks in float32 (float64 for float64).

    Args:
        hidden: `[N, H]`.
        weight: `[V, H]`, in the dtype of the products.
        watched_ids: `[W]`, see `Targets`.
        wanted: which of them are summed; the others are None.
    """

    def __init__(self, hidden: Tensor, weight: Tensor, watched_ids: Tensor, wanted: list[bool]) -> None:
        self._weight, self._ids = weight, watched_ids
        self._dtype = torch.promote_types(weight.dtype, torch.float32)
        self._of_hidden = self.zeros(*hidden.shape) if wanted[0] else None
        self._number_rows = weight.index_select(0, watched_ids).to(self._dtype) if wanted[0] else None
        self._of_weight = torch.zeros_like(weight, dtype=self._dtype) if wanted[1] else None
        self._of_number_rows = self.zeros(len(watched_ids), weight.shape[1]) if wanted[1] else None
        self._of_bias = self.zeros(len(weight)) if wanted[2] else None

    def zeros(self, *shape: int) -> Tensor:
        """Zeros in the dtype of the sums."""
        return self._weight.new_zeros(shape, dtype=self._dtype)

    def add(self, rows: Tensor, states: Tensor, gradient: Tensor, number_gradient: Tensor | None) -> None:
        """Add what c positions contribute.

        Args:
            rows: which of the N, `[c]`.
            states: their hidden states, `[c, H]`, in the dtype of the products.
            gradient: with respect to the projection, `[c, V]`, in that dtype.
            number_gradient: what comes on top in the watched columns, `[c, W]`, in the dtype of the sums, or None.
        """
        if self._of_hidden is not None:
            result = torch.mm(gradient, self._weight).to(self._dtype)
            if number_gradient is not None and self._number_rows is not None:
                result.addmm_(number_gradient, self._number_rows)
            self._of_hidden.index_copy_(0, rows, result)
        if self._of_weight is not None and gradient.dtype == self._dtype:
            self._of_weight.addmm_(gradient.T, states)
        elif self._of_weight is not None:
            # A product in half precision is summed in float32 inside, and rounded once.
            for part in slices(len(self._of_weight), _WEIGHT_ROWS):
                self._of_weight[part] += torch.mm(gradient[:, part].T, states)
        if self._of_bias is not None:
            self._of_bias.add_(gradient.sum(0, dtype=self._dtype))
        if number_gradient is not None:
            self._add_to_head(states, number_gradient)

    def add_numbers(self, rows: Tensor, states: Tensor, number_gradient: Tensor) -> None:
        """Add what comes on top in the watched columns of some rows, which `add` has had already."""
        if self._of_hidden is not None and self._number_rows is not None:
            self._of_hidden.index_add_(0, rows, number_gradient @ self._number_rows)
        self._add_to_head(states, number_gradient)

    def _add_to_head(self, states: Tensor, number_gradient: Tensor) -> None:
        if self._of_number_rows is not None:
            self._of_number_rows.addmm_(number_gradient.T, states.to(self._dtype))
        if self._of_bias is not None:
            self._of_bias.index_add_(0, self._ids, number_gradient.sum(0))

    def totals(self) -> tuple[Tensor | None, ...]:
        """The sums, once all chunks are added; in float16 they might be out of range."""
        if self._of_weight is not None and self._of_number_rows is not None:
            self._of_weight.index_add_(0, self._ids, self._of_number_rows)
        return self._of_hidden, self._of_weight, self._of_bias


def product_dtype(weight: Tensor) -> torch.dtype:
    """The dtype in which the model itself would project: that of autocast, or of the weight."""
    device = weight.device.type
    is_half = torch.is_autocast_enabled(device) and weight.dtype != torch.float64
    return torch.get_autocast_dtype(device) if is_half else weight.dtype
