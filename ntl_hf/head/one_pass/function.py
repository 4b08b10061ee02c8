"""The one pass as a differentiable function, and as one opaque operator that `torch.compile` does not look into."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor, library
from torch.autograd.function import once_differentiable

from ...losses.head_output import HeadOutput
from ...tokens.number_layout import NumberLayout
from ...tokens.targets import IGNORE_INDEX, Targets
from .block import VALUES, HeadPlan
from .run import product_dtype, run

_Results = tuple[Tensor | None, ...]


def one_pass(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Targets,
    plan: HeadPlan,
    sum_weight: Tensor | float | None = None,
) -> tuple[Tensor, HeadOutput]:
    """CE + sum_weight * NTL summed over the labelled positions, with its gradient made on the way.

    The scale of a loss need not be known to make its gradient: the sum is differentiated while a chunk of logits is at
    hand, and the backward pass multiplies by whatever arrives, be it 1 / tokens of the step or the loss scale of
    float16. That takes three products of the head's size, or two with a frozen head, where a backward pass that
    makes the logits again takes four.

    Args:
        hidden: what the model gives to its output embeddings, `[..., H]`, any float dtype.
        weight: `[V, H]`.
        bias: `[V]`, or None.
        targets: of the positions of `hidden`; only those with a label are projected.
        plan: what is computed.
        sum_weight: weight of the sum of the number loss beside that of CE, scalar, without gradient; None leaves it
            out of the loss.

    Returns:
        The sum, scalar, float32 (float64 for float64), to be divided by whatever count is wanted and backpropagated
        once; and the head's output, without gradients.
    """
    wanted = [torch.is_grad_enabled() and x is not None and x.requires_grad for x in (hidden, weight, bias)]
    if sum_weight is not None:
        sum_weight = torch.as_tensor(sum_weight, device=hidden.device, dtype=torch.float32)
    states = hidden.reshape(-1, hidden.shape[-1])
    loss, values = _OnePass.apply(states, weight, bias, targets.flat(), sum_weight, plan, wanted)
    return loss, _head_output(values.view(*targets.labels.shape, values.shape[-1]), targets, plan)


def _head_output(values: Tensor, targets: Targets, plan: HeadPlan) -> HeadOutput:
    numbers, watched = len(plan.vocab.ids), values[..., len(VALUES) :]
    column = dict(zip(VALUES, values.unbind(-1), strict=False))
    return HeadOutput(
        log_probs=column["log_probs"],
        label_mask=targets.labels != IGNORE_INDEX,
        target=targets.columns,
        number_logits=watched[..., :numbers],
        log_mass=column["log_mass"],
        mean_log_probs=column["mean_log_probs"] if plan.label_smoothing else None,
        number_losses=column["number_losses"],
        smoothing_terms=column["smoothing_terms"] if plan.smoothing else None,
        mark_logits=None if targets.layout is None else watched[..., numbers:],
        layout=targets.layout,
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
        targets: Targets,
        sum_weight: Tensor | None,
        plan: HeadPlan,
        wanted: list[bool],
    ) -> tuple[Tensor | None, ...]:
        run_here = _run_compiled if torch.compiler.is_compiling() else run
        loss, values, *gradients = run_here(
            hidden, weight, bias, targets, sum_weight, plan, wanted, product_dtype(weight)
        )
        ctx.save_for_backward(*gradients)
        ctx.dtypes = [None if x is None else x.dtype for x in (hidden, weight, bias)]
        ctx.mark_non_differentiable(values)
        ctx.set_materialize_grads(False)
        return loss, values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_gradient: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        gradients = [
            None if gradient is None or loss_gradient is None else gradient.mul_(loss_gradient).to(dtype)
            for gradient, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        ]
        return *gradients, *[None] * 4


# ---- The operator: tensors and numbers go into it, and plans are looked up ----

_PLANS: WeakValueDictionary[int, HeadPlan] = WeakValueDictionary()


def register_plan(plan: HeadPlan) -> None:
    """Let the operator find a plan, for as long as it is used; call it before compiling."""
    _PLANS[plan.key] = plan


def _run_compiled(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Targets,
    sum_weight: Tensor | None,
    plan: HeadPlan,
    wanted: list[bool],
    dtype: torch.dtype,
) -> _Results:
    layout = [] if targets.layout is None else targets.layout.tensors()
    labels = (targets.labels, targets.columns, targets.watched_ids, layout)
    results = _operator(hidden, weight, bias, *labels, sum_weight, plan.key, wanted, dtype)
    return *results[:2], *(x if needed else None for x, needed in zip(results[2:], wanted, strict=True))


# Inside an operator autograd is off, beyond what `enable_grad` can undo, but the number loss is differentiated by it.
# The switch belongs to the thread, so another one does the work.
class _Worker:
    def __init__(self) -> None:
        self.start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.start)  # threads do not survive a fork

    def start(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ntl_hf")

    def run(self, function: Callable[[], _Results]) -> _Results:
        return self._pool.submit(function).result()


_WORKER = _Worker()


# It waits for the device, which a captured graph of kernels cannot do.
@library.custom_op("ntl_hf::one_pass", mutates_args=(), tags=(torch.Tag.cudagraph_unsafe,))
def _operator(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    columns: Tensor,
    watched_ids: Tensor,
    layout: list[Tensor],
    sum_weight: Tensor | None,
    plan_key: int,
    wanted: list[bool],
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    stream, plan = _current_stream(hidden), _PLANS[plan_key]
    targets = Targets(labels, columns, watched_ids, NumberLayout(*layout) if layout else None, plan.vocab, None)

    def work() -> _Results:
        with torch.no_grad(), stream:
            return run(hidden, weight, bias, targets, sum_weight, plan, wanted, dtype)

    # What is not wanted is empty: an operator returns tensors only.
    loss, values, *gradients = (hidden.new_empty(0) if x is None else x for x in _WORKER.run(work))
    return loss, values, gradients[0], gradients[1], gradients[2]


@_operator.register_fake
def _shapes(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    columns: Tensor,
    watched_ids: Tensor,
    layout: list[Tensor],
    sum_weight: Tensor | None,
    plan_key: int,
    wanted: list[bool],
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    full = torch.promote_types(dtype, torch.float32)
    # `len` would make a number of a symbolic size, and a graph of every length.
    values = hidden.new_empty(labels.shape[0], len(VALUES) + watched_ids.shape[0], dtype=full)
    gradients = [
        torch.empty_like(like, dtype=full) if needed and like is not None else hidden.new_empty(0)
        for needed, like in zip(wanted, (hidden, weight, bias), strict=True)
    ]
    loss = hidden.new_empty((), dtype=full)
    return loss, values, gradients[0], gradients[1], gradients[2]


def _current_stream(tensor: Tensor) -> AbstractContextManager:
    if tensor.device.type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.current_stream(tensor.device))
