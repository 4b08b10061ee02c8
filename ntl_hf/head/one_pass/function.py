"""The one pass as a differentiable function."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...losses.head_output import IGNORE_INDEX, HeadOutput
from ...tokens.number_layout import NumberLayout
from .compiled import run_compiled
from .plan import VALUES, HeadPlan
from .run import Wanted, product_dtype, run


def one_pass(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    plan: HeadPlan,
    ntl_scale: Tensor | float | None = None,
) -> tuple[Tensor, HeadOutput]:
    """CE + ntl_scale * NTL summed over the labelled positions, with its gradient made on the way.

    The scale of a loss need not be known to make its gradient: the sum is differentiated while a chunk of logits is at
    hand, and the backward pass multiplies by whatever arrives, be it 1 / tokens of the step or the loss scale of
    float16. That takes three products of the head's size, or two with a frozen head, where a backward pass that
    makes the logits again takes four.

    Args:
        hidden: what the model gives to its output embeddings, `[..., H]`, any float dtype.
        weight: `[V, H]`.
        bias: `[V]`, or None.
        labels: `[...]`, int64, aligned with `hidden`; -100 where there is none. Only the others are projected. The
            last dimension is that of the text.
        plan: what is computed.
        ntl_scale: factor of the number loss beside CE, scalar, without gradient; None leaves it out of the loss.

    Returns:
        The sum, scalar, float32 (float64 for float64), to be divided by whatever count is wanted and backpropagated
        once; and the head's output, without gradients.
    """
    wanted = tuple(torch.is_grad_enabled() and x is not None and x.requires_grad for x in (hidden, weight, bias))
    if ntl_scale is not None:
        ntl_scale = torch.as_tensor(ntl_scale, device=hidden.device, dtype=torch.float32)
    states, flat = hidden.reshape(-1, hidden.shape[-1]), labels.reshape(-1)
    length = labels.shape[-1] if labels.ndim else 1
    layout = plan.syntax.layout(labels) if plan.syntax else None
    loss, values, target = _OnePass.apply(states, weight, bias, flat, ntl_scale, plan, wanted, length, layout)
    return loss, _head_output(values, target, labels, plan, layout)


def _head_output(
    values: Tensor, target: Tensor, labels: Tensor, plan: HeadPlan, layout: NumberLayout | None
) -> HeadOutput:
    values = values.view(*labels.shape, values.shape[-1])
    watched = values[..., len(VALUES) :]
    column = dict(zip(VALUES, values.unbind(-1), strict=False))
    return HeadOutput(
        log_probs=column["log_probs"],
        label_mask=labels != IGNORE_INDEX,
        target=target.view(labels.shape),
        number_logits=watched[..., : len(plan.vocab)],
        log_mass=column["log_mass"],
        mean_log_probs=column["mean_log_probs"] if plan.label_smoothing else None,
        number_losses=column["number_losses"],
        smoothing_terms=column["smoothing_terms"] if plan.smoothing else None,
        mark_logits=watched[..., len(plan.vocab) :] if plan.syntax else None,
        layout=layout,
        entropy=column["entropy"] if plan.metrics else None,
        is_top1=column["is_top1"].bool() if plan.metrics else None,
    )


class _OnePass(torch.autograd.Function):
    """`run` with the gradients kept for the backward pass, which multiplies them, in place, by that of the loss."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Tensor,
        ntl_scale: Tensor | None,
        plan: HeadPlan,
        wanted: Wanted,
        length: int,
        layout: NumberLayout | None,
    ) -> tuple[Tensor | None, ...]:
        dtype = product_dtype(weight)
        options = (plan, wanted, dtype, length)
        if torch.compiler.is_compiling():  # an operator takes tensors, and scans the labels again
            results = run_compiled(hidden, weight, bias, labels, ntl_scale, *options)
        else:
            results = run(hidden, weight, bias, labels, ntl_scale, *options, layout)
        loss, values, target, *gradients = results
        ctx.save_for_backward(*gradients)
        ctx.dtypes = [None if x is None else x.dtype for x in (hidden, weight, bias)]
        ctx.mark_non_differentiable(values, target)
        ctx.set_materialize_grads(False)
        return loss, values, target

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_gradient: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        gradients = [
            None if gradient is None or loss_gradient is None else gradient.mul_(loss_gradient).to(dtype)
            for gradient, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        ]
        return *gradients, *[None] * 6
