"""`FusedHead`: stands in for a model's output embeddings during a forward pass, and makes the loss there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from peft.utils.other import AuxiliaryTrainingWrapper
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from ..losses.head_output import HeadOutput
from ..tokens.targets import Targets
from .one_pass import HeadPlan, one_pass, product_dtype, register_plan
from .transform import LogitTransform


class UnsupportedHeadError(ValueError):
    """The model's output embeddings are not a plain linear layer; the message says what they are."""


@dataclass
class HeadResult:
    """What a forward pass, which calls the head exactly once, makes; empty before it.

    Attributes:
        loss: CE + sum_weight * NTL, summed over the labelled positions, scalar, float32.
        output: the head's output, `[B, T]`, without gradients.
        dtype: of the products.
    """

    loss: Tensor = field(init=False)
    output: HeadOutput = field(init=False)
    dtype: torch.dtype | None = field(default=None, init=False)


class FusedHead:
    """Makes CE + NTL out of what a model hands to its output embeddings, in whatever way it does.

    During `collect`, the output embeddings get no positions to project: the model's own forward runs, whichever it
    is, encoder-decoders, mixtures of experts and wrappers included, and ends with empty logits. As this happens
    inside their `forward`, FSDP2 and ZeRO-3 have gathered the weights.

    Args:
        plan: what is computed.
    """

    def __init__(self, plan: HeadPlan) -> None:
        self.plan = plan
        register_plan(plan)

    def with_transform(self, transform: LogitTransform) -> "FusedHead":
        """The same for a model that does something else between its output projection and its logits."""
        return self if transform == self.plan.transform else FusedHead(replace(self.plan, transform=transform))

    @contextmanager
    def collect(
        self, model: nn.Module, targets: Targets, sum_weight: Tensor | float | None = None
    ) -> Iterator[HeadResult]:
        """Run `model` once inside the block, without labels; then what the block was given has the result.

        Args:
            model: without its wrappers for distributed training.
            targets: of the text, aligned with its positions.
            sum_weight: weight of the sum of the number loss beside that of CE, scalar; None leaves it out of the loss.

        Raises:
            UnsupportedHeadError: see `find_head`, or the model did not call its output embeddings once.
        """
        head, result = find_head(model), HeadResult()
        previous = head.__dict__.get("forward")
        head.forward = lambda hidden: self._project(head, hidden, targets, sum_weight, result)
        try:
            yield result
        finally:
            del head.forward
            if previous is not None:
                head.forward = previous
        if result.dtype is None:
            raise UnsupportedHeadError(f"{type(model).__name__} did not call its output embeddings")

    def _project(
        self, head: Any, hidden: Tensor, targets: Targets, sum_weight: Tensor | float | None, result: HeadResult
    ) -> Tensor:
        if result.dtype is not None or hidden.ndim != 3:
            raise UnsupportedHeadError(
                "the model calls its output embeddings more than once, or not on [batch, length, width]: its loss can "
                "be made from its logits (`ntl_head='logits'`)"
            )
        weight, bias = head.weight, getattr(head, "bias", None)
        if isinstance(weight, DTensor):
            weight, bias = weight.full_tensor(), None if bias is None else bias.full_tensor()
        targets = targets.fit(hidden.shape[1], weight.device)
        states = hidden.to(weight.device)
        result.loss, result.output = one_pass(states, weight, bias, targets, self.plan, sum_weight)
        result.dtype = product_dtype(weight)
        # Empty, but of the right shape, and made of all that the loss is made of: wrappers such as DDP look for the
        # parameters behind the model's output, and hook into its gradient.
        return hidden[:, :0, :1].expand(-1, -1, len(weight)) + result.loss.to(hidden.device, hidden.dtype)


def find_head(model: nn.Module) -> Any:
    """The output embeddings of a model, adapted or not.

    Raises:
        UnsupportedHeadError: it has none, or they are not a linear layer with its weight at hand.
    """
    adapted: Any = model
    base = adapted.get_base_model() if hasattr(adapted, "get_base_model") else adapted
    head = base.get_output_embeddings() if hasattr(base, "get_output_embeddings") else None
    if head is None:
        raise UnsupportedHeadError(f"{type(base).__name__} has no output embeddings")
    # peft's wrappers for heads, or some rows of them, that are trained with an adapter.
    inner = head.original_module if isinstance(head, AuxiliaryTrainingWrapper) else head
    if getattr(type(inner), "forward", None) is not nn.Linear.forward or not inner.weight.is_floating_point():
        raise UnsupportedHeadError(f"the output embeddings of {type(base).__name__} are a {type(inner).__name__}")
    if inner.weight.is_meta:
        raise UnsupportedHeadError(f"the output embeddings of {type(base).__name__} are offloaded")
    # BART's family adds it to the logits; zero in most models.
    added = getattr(base, "final_logits_bias", None)
    if added is not None and bool(added.any()):
        raise UnsupportedHeadError(f"{type(base).__name__} has a `final_logits_bias`")
    return head
