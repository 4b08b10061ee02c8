"""The pass over the output projection, chunk by chunk."""

import torch
from torch import Tensor

from ...losses.head_output import IGNORE_INDEX
from ...tokens.number_layout import NumberLayout
from ..slices import row_blocks, slices
from .block import BlockValues, differentiate_block
from .gradients import BiasGradient, Chunk, Gradient, HiddenGradient, WeightGradient
from .numbers import NumberValues, differentiate_numbers
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
    length: int,
    layout: NumberLayout | None = None,
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
        length: of a row of text: N is a multiple of it.
        layout: where the positions stand in their numbers, if that is known already.

    Returns:
        The loss, scalar, and the values, `[N, len(VALUES) + W]` for W watched tokens, 0 off the labels, both float32
        (float64 for float64); the columns of the labels among the number tokens, `[N]`, -1 where they are none; the
        gradients of `hidden`, `weight` and `bias`, float32 (float64 for float64).
    """
    # `dtype` has what autocast wants of the products; the rest, its own lists of operations aside, stays in float32.
    with torch.autocast(hidden.device.type, enabled=False):
        target = plan.vocab.columns(labels)
        task = PassTask(plan, plan.watched_ids(labels.device), ntl_scale, any(wanted))
        if plan.syntax is not None and layout is None:
            layout = plan.syntax.layout(labels.view(-1, length))
        weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
        gradients = _gradients(hidden, weight, task.watched_ids, wanted)
        # The one read from the device: how many positions have a label.
        labelled = (labels != IGNORE_INDEX).nonzero().squeeze(1)
        full = torch.promote_types(dtype, torch.float32)
        values = hidden.new_zeros(len(labels), len(VALUES) + len(task.watched_ids), dtype=full)
        buffer = hidden.new_empty(_chunk_rows(weight, len(labelled)), len(weight), dtype=dtype)
        for chunk in slices(len(labelled), len(buffer)):
            rows = labelled[chunk]
            states = hidden.index_select(0, rows).to(dtype)
            projection = _project(states, weight, bias, buffer)
            part = None if layout is None else layout.select(rows)
            found, number_gradient = _differentiate(projection, labels[rows], target[rows], task, part)
            values.index_copy_(0, rows, found)
            for gradient in gradients:
                if gradient is not None:
                    gradient.add(Chunk(rows, states, projection, number_gradient))
        if layout is not None:
            number_gradient = _differentiate_whole(values, target, task, layout)
            _add_numbers(gradients, number_gradient, hidden, labelled, slices(len(labelled), len(buffer)), dtype)
        totals = (None if gradient is None else gradient.total() for gradient in gradients)
        return _loss(values, labels, plan, ntl_scale), values, target, *totals


def _gradients(hidden: Tensor, weight: Tensor, watched_ids: Tensor, wanted: Wanted) -> tuple[Gradient | None, ...]:
    return (
        HiddenGradient(len(hidden), weight, watched_ids) if wanted[0] else None,
        WeightGradient(weight, watched_ids) if wanted[1] else None,
        BiasGradient(weight, watched_ids) if wanted[2] else None,
    )


def _differentiate(
    projection: Tensor, labels: Tensor, target: Tensor, task: PassTask, layout: NumberLayout | None
) -> tuple[Tensor, Tensor | None]:
    """Values of a chunk, `[c, len(VALUES) + W]`, and the gradient of its watched columns; the rest goes over it.

    A loss that looks at whole numbers, which a chunk may cut, is left for later: its values are 0.
    """
    blocks = [
        differentiate_block(
            projection[block], labels[block], target[block], task, None if layout is None else layout.select(block)
        )
        for block in row_blocks(projection)
    ]
    known = {name: torch.cat([getattr(block, name) for block in blocks]) for name in BlockValues.__dataclass_fields__}
    gradient = None
    if layout is None:
        numbers = differentiate_numbers(known["watched_logits"], known["log_normalizer"], target, task)
        known |= _number_values(numbers)
        gradient = numbers.gradient
    zero = torch.zeros_like(known["log_probs"])
    values = torch.stack([known.get(name, zero) for name in VALUES], 1)
    return torch.cat([values, known["watched_logits"]], 1), gradient


def _number_values(numbers: NumberValues) -> dict[str, Tensor]:
    return {
        "log_mass": numbers.log_mass,
        "number_losses": numbers.losses,
        "smoothing_terms": numbers.smoothing_terms,
    }


def _differentiate_whole(values: Tensor, target: Tensor, task: PassTask, layout: NumberLayout) -> Tensor | None:
    """Fill in what whole numbers are worth, once all positions are known; the gradient, `[N, W]`."""
    numbers = differentiate_numbers(values[:, len(VALUES) :], values[:, 0], target, task, layout)
    for name, column in _number_values(numbers).items():
        values[:, VALUES.index(name)] = column
    return numbers.gradient


def _add_numbers(
    gradients: tuple[Gradient | None, ...],
    number_gradient: Tensor | None,
    hidden: Tensor,
    labelled: Tensor,
    parts: list[slice],
    dtype: torch.dtype,
) -> None:
    for gradient in gradients:
        if gradient is None or number_gradient is None:
            continue
        for part in parts:
            rows = labelled[part]
            gradient.add_numbers(rows, hidden.index_select(0, rows).to(dtype), number_gradient.index_select(0, rows))


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
