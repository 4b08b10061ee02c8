"""The pass over the output projection, and its place in autograd."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...number_vocab import NumberVocab
from ..output import IGNORE_INDEX, HeadOutput
from .block import differentiate_block
from .gradients import HeadGradients
from .plan import VALUES, HeadPlan

# A chunk of the projection, the largest buffer of all: 128 MiB. Larger ones gain little; smaller ones make the sum of
# the weight's gradient, which goes through memory once per chunk, more expensive.
_CHUNK_BYTES = 2**27
# What the softmax works on at a time. On a CPU that is to stay in the cache; elsewhere, starting kernels costs more.
_CPU_BLOCK_ELEMENTS = 2**20
_BLOCK_ELEMENTS = 2**25


def run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    target: Tensor,
    number_ids: Tensor,
    ntl_scale: Tensor | None,
    plan: HeadPlan,
    wanted: tuple[bool, bool, bool],
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """CE + ntl_scale * NTL summed over the labelled positions, their values, and the gradients that are wanted.

    Args:
        hidden: `[N, H]`.
        weight: `[V, H]`.
        bias: `[V]`, or None.
        labels: `[N]`, -100 where there is none.
        target: columns of the labels among the number tokens, `[N]`, -1 where they are none.
        number_ids: `[D]`.
        ntl_scale: factor of the number loss, scalar; None leaves it out of the loss.
        plan: what is computed.
        wanted: whether `hidden`, `weight` and `bias` need a gradient.

    Returns:
        The loss, scalar; the values, `[N, len(VALUES) + D]`, both float32 (float64 for float64), 0 off the labels;
        the gradients of `hidden` (in its dtype), `weight` and `bias` (float32).
    """
    dtype = _product_dtype(weight)
    # The one read from the device: how many positions have a label.
    rows = (labels != IGNORE_INDEX).nonzero().squeeze(1)
    weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
    gradients = HeadGradients(hidden, weight, number_ids, wanted)
    values = hidden.new_zeros(
        len(rows), len(VALUES) + len(number_ids), dtype=torch.promote_types(dtype, torch.float32)
    )
    buffer = hidden.new_empty(_chunk_rows(weight, len(rows)), len(weight), dtype=dtype)
    for chunk in _slices(len(rows), len(buffer)):
        states = hidden.index_select(0, rows[chunk]).to(dtype)
        projection = _project(states, weight, bias, buffer)
        picked = (labels[rows[chunk]], target[rows[chunk]])
        number_gradient = _differentiate(projection, *picked, number_ids, plan, ntl_scale, any(wanted), values[chunk])
        if any(wanted):
            gradients.add(rows[chunk], states, projection, number_gradient)
    gradients.finish()
    everywhere = values.new_zeros(len(labels), values.shape[1]).index_copy_(0, rows, values)
    return _loss(values, plan, ntl_scale), everywhere, gradients.hidden, gradients.weight, gradients.bias


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
    elements = _CPU_BLOCK_ELEMENTS if projection.device.type == "cpu" else _BLOCK_ELEMENTS
    for block in _slices(len(projection), max(1, elements // projection.shape[1])):
        result = differentiate_block(
            projection[block], labels[block], target[block], number_ids, plan, ntl_scale, with_gradient
        )
        values[block] = result.values
        if result.gradient is not None:
            projection[block] = result.gradient
            number_gradients.append(result.number_gradient)
    return torch.cat(number_gradients) if number_gradients and number_gradients[0] is not None else None


def _project(states: Tensor, weight: Tensor, bias: Tensor | None, buffer: Tensor) -> Tensor:
    # Into the same memory for every chunk: fresh memory would cost a good part of the product's time.
    out = buffer[: len(states)]
    return torch.mm(states, weight.T, out=out) if bias is None else torch.addmm(bias, states, weight.T, out=out)


def _loss(values: Tensor, plan: HeadPlan, ntl_scale: Tensor | None) -> Tensor:
    column = dict(zip(VALUES, values.T, strict=False))
    loss = plan.cross_entropy(column["log_probs"], column["mean_log_probs"]).sum()
    return loss if ntl_scale is None else loss + ntl_scale * column["number_losses"].sum()


def _product_dtype(weight: Tensor) -> torch.dtype:
    device = weight.device.type
    is_half = torch.is_autocast_enabled(device) and weight.dtype != torch.float64
    return torch.get_autocast_dtype(device) if is_half else weight.dtype


def _chunk_rows(weight: Tensor, n: int) -> int:
    return max(1, min(n, _CHUNK_BYTES // (len(weight) * weight.element_size())))


def _slices(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def one_pass(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    vocab: NumberVocab,
    plan: HeadPlan,
    ntl_scale: Tensor | float | None = None,
) -> tuple[Tensor, HeadOutput]:
    """CE + ntl_scale * NTL summed over the labelled positions, with its gradient made on the way.

    Args:
        hidden: what the model gives to its output embeddings, `[..., H]`, any float dtype.
        weight: `[V, H]`.
        bias: `[V]`, or None.
        labels: `[...]`, int64, aligned with `hidden`; -100 where there is none.
        vocab: the number tokens.
        plan: what is computed.
        ntl_scale: factor of the number loss beside CE, scalar, without gradient; None leaves it out of the loss.

    Returns:
        The sum, scalar, float32 (float64 for float64), to be divided by whatever count is wanted and backpropagated
        once; and the head's output, without gradients.
    """
    wanted = tuple(torch.is_grad_enabled() and x is not None and x.requires_grad for x in (hidden, weight, bias))
    flat = labels.reshape(-1)
    if ntl_scale is not None:
        ntl_scale = torch.as_tensor(ntl_scale, device=hidden.device, dtype=torch.float32)
    loss, values = _OnePass.apply(
        hidden.reshape(-1, hidden.shape[-1]), weight, bias,
        flat, vocab.columns(flat), vocab.ids_on(hidden.device), ntl_scale, plan, wanted,
    )  # fmt: skip
    return loss, _head_output(values, labels, vocab, plan)


def _head_output(values: Tensor, labels: Tensor, vocab: NumberVocab, plan: HeadPlan) -> HeadOutput:
    values = values.view(*labels.shape, -1)
    column = dict(zip(VALUES, values.unbind(-1), strict=False))
    return HeadOutput(
        log_probs=column["log_probs"],
        label_mask=labels != IGNORE_INDEX,
        target=vocab.columns(labels),
        number_logits=values[..., len(VALUES) :],
        log_mass=column["log_mass"],
        mean_log_probs=column["mean_log_probs"] if plan.label_smoothing else None,
        number_losses=column["number_losses"],
        entropy=column["entropy"] if plan.metrics else None,
        is_top1=column["is_top1"].bool() if plan.metrics else None,
    )


class _OnePass(torch.autograd.Function):
    """`run` with the gradients kept for the backward pass, which multiplies them, in place, by that of the loss."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> tuple[Tensor, Tensor]:
        loss, values, *gradients = run(hidden, weight, bias, *rest)
        ctx.save_for_backward(*gradients)
        ctx.dtypes = [None if x is None else x.dtype for x in (hidden, weight, bias)]
        ctx.mark_non_differentiable(values)
        return loss, values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_gradient: Tensor, _values_gradient: Any) -> tuple[Tensor | None, ...]:
        gradients = [
            None if gradient is None else gradient.mul_(loss_gradient).to(dtype)
            for gradient, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        ]
        return *gradients, *[None] * 6
