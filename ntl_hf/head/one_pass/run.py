"""The pass over the output projection, chunk by chunk."""

import torch
from torch import Tensor

from ..output import IGNORE_INDEX
from ..slices import row_blocks, slices
from .block import differentiate_block
from .gradients import HeadGradients
from .plan import VALUES, HeadPlan

# A chunk of the projection, the largest buffer of all: 128 MiB. Larger ones gain little; smaller ones make the sum of
# the weight's gradient, which goes through memory once per chunk, more expensive.
_CHUNK_BYTES = 2**27

# Whether hidden states, weight and bias need a gradient.
Wanted = tuple[bool, bool, bool]


def run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    ntl_scale: Tensor | None,
    plan: HeadPlan,
    wanted: Wanted,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]:
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
    number_ids, target = plan.vocab.ids_on(labels.device), plan.vocab.columns(labels)
    # The one read from the device: how many positions have a label.
    rows = (labels != IGNORE_INDEX).nonzero().squeeze(1)
    weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
    gradients = HeadGradients(hidden, weight, number_ids, wanted)
    values = hidden.new_zeros(
        len(rows), len(VALUES) + len(number_ids), dtype=torch.promote_types(dtype, torch.float32)
    )
    buffer = hidden.new_empty(_chunk_rows(weight, len(rows)), len(weight), dtype=dtype)
    for chunk in slices(len(rows), len(buffer)):
        states = hidden.index_select(0, rows[chunk]).to(dtype)
        projection = _project(states, weight, bias, buffer)
        picked = (labels[rows[chunk]], target[rows[chunk]])
        number_gradient = _differentiate(projection, *picked, number_ids, plan, ntl_scale, any(wanted), values[chunk])
        if any(wanted):
            gradients.add(rows[chunk], states, projection, number_gradient)
    gradients.finish()
    everywhere = values.new_zeros(len(labels), values.shape[1]).index_copy_(0, rows, values)
    return _loss(values, plan, ntl_scale), everywhere, target, gradients.hidden, gradients.weight, gradients.bias


def _differentiate(
    projection: Tensor,
    labels: Tensor,
    target: Tensor,
    number_ids: Tensor,
    plan: HeadPlan,
    ntl_scale: Tensor | None,
    with_gradient: bool,
    values: Tensor,
) -> Tensor | None:
    """Put the values of a chunk into `values` and its gradient over `projection`, a block at a time."""
    number_gradients = []
    for block in row_blocks(projection):
        values[block], number_gradient = differentiate_block(
            projection[block], labels[block], target[block], number_ids, plan, ntl_scale, with_gradient
        )
        number_gradients.append(number_gradient)
    return None if number_gradients[0] is None else torch.cat(number_gradients)


def _project(states: Tensor, weight: Tensor, bias: Tensor | None, buffer: Tensor) -> Tensor:
    # Into the same memory for every chunk: fresh memory would cost a good part of the product's time.
    out = buffer[: len(states)]
    return torch.mm(states, weight.T, out=out) if bias is None else torch.addmm(bias, states, weight.T, out=out)


def _loss(values: Tensor, plan: HeadPlan, ntl_scale: Tensor | None) -> Tensor:
    column = dict(zip(VALUES, values.T, strict=False))
    loss = plan.cross_entropy(column["log_probs"], column["mean_log_probs"]).sum()
    return loss if ntl_scale is None else loss + ntl_scale * column["number_losses"].sum()


def product_dtype(weight: Tensor) -> torch.dtype:
    """The dtype in which the model itself would project: that of autocast, or of the weight."""
    device = weight.device.type
    is_half = torch.is_autocast_enabled(device) and weight.dtype != torch.float64
    return torch.get_autocast_dtype(device) if is_half else weight.dtype


def _chunk_rows(weight: Tensor, n: int) -> int:
    return max(1, min(n, _CHUNK_BYTES // (len(weight) * weight.element_size())))
