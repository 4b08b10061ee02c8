"""`run` as one opaque operator: `torch.compile` neither breaks its graph there nor traces it."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from weakref import WeakValueDictionary

import torch
from torch import Tensor, library

from .plan import VALUES, HeadPlan
from .run import Wanted, run

# An operator takes tensors and numbers; plans are looked up.
_PLANS: WeakValueDictionary[int, HeadPlan] = WeakValueDictionary()

_Results = tuple[Tensor | None, ...]


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


def run_compiled(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    ntl_scale: Tensor | None,
    plan: HeadPlan,
    wanted: Wanted,
    dtype: torch.dtype,
    length: int,
) -> tuple[Tensor | None, ...]:
    """`run`, with the same arguments and results, as an operator."""
    options = (plan.key, plan.num_watched, list(wanted), dtype, length)
    results = _operator(hidden, weight, bias, labels, ntl_scale, *options)
    return *results[:3], *(x if needed else None for x, needed in zip(results[3:], wanted, strict=True))


def make_known(plan: HeadPlan) -> None:
    """Let `run_compiled` find a plan, for as long as it is used; call it before compiling."""
    _PLANS[plan.key] = plan


# It waits for the device, which a captured graph of kernels cannot do.
@library.custom_op("ntl_hf::one_pass", mutates_args=(), tags=(torch.Tag.cudagraph_unsafe,))
def _operator(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    ntl_scale: Tensor | None,
    plan_key: int,
    watched: int,
    wanted: list[bool],
    dtype: torch.dtype,
    length: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    stream = _current_stream(hidden)

    def work() -> tuple[Tensor | None, ...]:
        with torch.no_grad(), stream:
            return run(hidden, weight, bias, labels, ntl_scale, _PLANS[plan_key], tuple(wanted), dtype, length)

    # What is not wanted is empty: an operator returns tensors only.
    loss, values, target, *gradients = (hidden.new_empty(0) if x is None else x for x in _WORKER.run(work))
    return loss, values, target, gradients[0], gradients[1], gradients[2]


@_operator.register_fake
def _shapes(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    ntl_scale: Tensor | None,
    plan_key: int,
    watched: int,
    wanted: list[bool],
    dtype: torch.dtype,
    length: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    full = torch.promote_types(dtype, torch.float32)
    # `len` would make a number of a symbolic size, and a graph of every length.
    values = hidden.new_empty(labels.shape[0], len(VALUES) + watched, dtype=full)
    gradients = [
        torch.empty_like(like, dtype=full) if needed and like is not None else hidden.new_empty(0)
        for needed, like in zip(wanted, (hidden, weight, bias), strict=True)
    ]
    loss = hidden.new_empty((), dtype=full)
    return loss, values, torch.empty_like(labels), gradients[0], gradients[1], gradients[2]


def _current_stream(tensor: Tensor) -> AbstractContextManager:
    if tensor.device.type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.current_stream(tensor.device))
