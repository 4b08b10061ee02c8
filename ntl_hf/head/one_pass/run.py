"""The pass over the output projection, chunk by chunk."""

import torch
from torch import Tensor

from ..output import IGNORE_INDEX
from ..slices import row_blocks, slices
from .block import BlockValues, differentiate_block
from .gradients import BiasGradient, Chunk, Gradient, HiddenGradient, WeightGradient
from .numbers import differentiate_numbers
from .plan import VALUES, HeadPlan, PassTask

# A chunk of the projection, the largest buffer of all: 128 MiB. Larger ones gain little; smaller ones make the sum of
# the weight's gradient, which goes through memory once per chunk, more expensive.
_CHUNK_BYTES = 2**27

# Whether hidden states, weight and bias need a gradient.
Wanted = tuple[bool, ...]


def run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    ntl_scale: Tensor | None,
    plan: HeadPlan,
    wanted: Wanted,
    dtype: torch.dtype,
) -> tuple[Tensor | None, ...]:
    """CE + ntl_scale * NTL summed over the labelled positions, their values, and the gradients that are wanted.

    Args:
        hidden: `[N, H]`.
        weight: `[V, H]`.
        bias: `[V]`, or None.
        labels: `[N]`, -100 where there is none.
        ntl_scale: factor of the number loss, scalar; None leaves it out of the loss.
        plan: what is computed.
        wanted: whether `hidden`, `weight` and `bias` need a gradient.
        dtype: of the products.

    Returns:
        The loss, scalar, and the values, `[N, len(VALUES) + D]`, 0 off the labels, both float32 (float64 for
        float64); the columns of the labels among the number tokens, `[N]`, -1 where they are none; the gradients of
        `hidden`, `weight` and `bias`, float32 (float64 for float64).
    """
    # `dtype` has what autocast wants of the products; the rest, its own lists of operations aside, stays in float32.
    with torch.autocast(hidden.device.type, enabled=False):
        target = plan.vocab.columns(labels)
        task = PassTask(plan, plan.vocab.ids_on(labels.device), ntl_scale, any(wanted))
        weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
        gradients = _gradients(hidden, weight, task.number_ids, wanted)
        # The one read from the device: how many positions have a label.
        labelled = (labels != IGNORE_INDEX).nonzero().squeeze(1)
        full = torch.promote_types(dtype, torch.float32)
        values = hidden.new_zeros(len(labels), len(VALUES) + len(task.number_ids), dtype=full)
        buffer = hidden.new_empty(_chunk_rows(weight, len(labelled)), len(weight), dtype=dtype)
        for chunk in slices(len(labelled), len(buffer)):
            rows = labelled[chunk]
            states = hidden.index_select(0, rows).to(dtype)
            projection = _project(states, weight, bias, buffer)
            found, number_gradient = _differentiate(projection, labels[rows], target[rows], task)
            values.index_copy_(0, rows, found)
            for gradient in gradients:
                if gradient is not None:
                    gradient.add(Chunk(rows, states, projection, number_gradient))
        totals = (None if gradient is None else gradient.total() for gradient in gradients)
        return _loss(values, labels, plan, ntl_scale), values, target, *totals


def _gradients(hidden: Tensor, weight: Tensor, number_ids: Tensor, wanted: Wanted) -> tuple[Gradient | None, ...]:
    return (
        HiddenGradient(len(hidden), weight, number_ids) if wanted[0] else None,
        WeightGradient(weight, number_ids) if wanted[1] else None,
        BiasGradient(weight, number_ids) if wanted[2] else None,
    )


def _differentiate(projection: Tensor, labels: Tensor, target: Tensor, task: PassTask) -> tuple[Tensor, Tensor | None]:
    """Values of a chunk, `[c, len(VALUES) + D]`, and the gradient of its number columns; the rest goes over it."""
    blocks = [
        differentiate_block(projection[block], labels[block], target[block], task) for block in row_blocks(projection)
    ]
    known = {name: torch.cat([getattr(block, name) for block in blocks]) for name in BlockValues.__dataclass_fields__}
    numbers = differentiate_numbers(known["number_logits"], known["log_normalizer"], target, task)
    known |= {"log_mass": numbers.log_mass, "number_losses": numbers.losses}
    known |= {"smoothing_terms": numbers.smoothing_terms}
    values = torch.stack([known[name] for name in VALUES], 1)
    return torch.cat([values, known["number_logits"]], 1), numbers.gradient


def _project(states: Tensor, weight: Tensor, bias: Tensor | None, buffer: Tensor) -> Tensor:
    # Into the same memory for every chunk: fresh memory would cost a good part of the product's time.
    out = buffer[: len(states)]
    return torch.mm(states, weight.T, out=out) if bias is None else torch.addmm(bias, states, weight.T, out=out)


def _loss(values: Tensor, labels: Tensor, plan: HeadPlan, ntl_scale: Tensor | None) -> Tensor:
    column = dict(zip(VALUES, values.T, strict=False))
    losses = plan.cross_entropy(column["log_probs"], column["mean_log_probs"])
    loss = losses.masked_fill(labels == IGNORE_INDEX, 0.0).sum() + column["smoothing_terms"].sum()
    return loss if ntl_scale is None else loss + ntl_scale * column["number_losses"].sum()


def product_dtype(weight: Tensor) -> torch.dtype:
    """The dtype in which the model itself would project: that of autocast, or of the weight."""
    device = weight.device.type
    is_half = torch.is_autocast_enabled(device) and weight.dtype != torch.float64
    return torch.get_autocast_dtype(device) if is_half else weight.dtype


def _chunk_rows(weight: Tensor, n: int) -> int:
    return max(1, min(n, _CHUNK_BYTES // (len(weight) * weight.element_size())))
