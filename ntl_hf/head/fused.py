"""The head for TRL's fused forward, which builds no logits: number logits straight from the hidden states."""

import functools
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn import functional as F
from trl.trainer.utils import FusedCausalLMOutput, maybe_gather_lm_head_ctx

from ..losses import log_number_mass
from ..number_vocab import NumberVocab
from .output import HeadOutput
from .transform import LogitTransform


@dataclass
class FusedNumberOutput(FusedCausalLMOutput):
    """TRL's fused output with the number logits, `[B, T, D]`, and the columns of the labels among them, `[B, T]`."""

    number_logits: Tensor | None = None
    number_target: Tensor | None = None


def add_number_head(model: nn.Module, vocab: NumberVocab) -> None:
    """Make `model(..., labels=labels, fused_lm_head=True)` return number logits too.

    `model` has TRL's fused head (`trl.trainer.utils.add_fused_lm_head`); its forward is wrapped, and calls without
    `fused_lm_head` go through unchanged. The number logits cost one `[B * T, H] x [H, D]` product: no second forward
    pass, no logits. They are made inside `forward`, because ZeRO-3 and FSDP2 only hold the weights together there.
    """
    fused_forward = model.forward
    transform = LogitTransform.from_config(model.config)
    _give_wrapped_head_a_bias(model)

    # Of the class, as TRL does: a bound method would lose its first argument, `input_ids`, from the signature, and a
    # Trainer would then drop that column.
    @functools.wraps(type(model).forward)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("fused_lm_head"):
            return fused_forward(*args, **kwargs)
        with _last_hidden_state(self.base_model) as hidden_states:
            outputs = fused_forward(*args, **kwargs)
        hidden, labels = hidden_states[-1], kwargs.get("shift_labels")
        if labels is None:
            hidden, labels = hidden[:, :-1], kwargs["labels"][:, 1:]
        projection = _project(hidden, self.get_output_embeddings(), vocab)
        return FusedNumberOutput(
            **outputs, number_logits=transform(projection), number_target=vocab.columns(labels.to(projection.device))
        )

    model.forward = types.MethodType(forward, model)


def head_from_fused(outputs: FusedNumberOutput) -> HeadOutput:
    """The head's output from the fused forward; the number mass follows from the label's log-probability alone."""
    target = outputs.number_target
    no_number = target < 0
    # Neutral where the label is no number: there, all number logits may be -inf.
    number_logits = outputs.number_logits.masked_fill(no_number.unsqueeze(-1), 0.0)
    log_mass = log_number_mass(number_logits, target.clamp_min(0), outputs.log_probs)
    return HeadOutput(
        log_probs=outputs.log_probs,
        label_mask=outputs.label_mask,
        target=target,
        number_logits=outputs.number_logits,
        log_mass=log_mass.masked_fill(no_number, 0.0),
    )


@contextmanager
def _last_hidden_state(backbone: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the backbone's last hidden state from the forward passes made inside the block."""
    found: list[Tensor] = []

    def keep(_module: nn.Module, _args: Any, output: Any) -> None:
        found.append(output.last_hidden_state)

    hook = backbone.register_forward_hook(keep)
    try:
        yield found
    finally:
        hook.remove()


def _project(hidden: Tensor, lm_head: nn.Module, vocab: NumberVocab) -> Tensor:
    """`hidden @ weight[ids].T + bias[ids]`, `[B, T, D]`, in the dtype in which TRL makes the log-probabilities.

    Another dtype would round the two differently, and the number mass, their quotient, would be off by percents.
    """
    weight, bias = lm_head.weight, lm_head.bias
    if isinstance(weight, DTensor):
        weight, bias = weight.full_tensor(), None if bias is None else bias.full_tensor()
    hidden, ids = hidden.to(weight.device), vocab.ids_on(weight.device)
    with maybe_gather_lm_head_ctx(weight, bias):
        rows = weight.index_select(0, ids)
        row_bias = None if bias is None else bias.index_select(0, ids)
    if not torch.is_autocast_enabled(hidden.device.type):
        rows = rows.to(hidden.dtype)
        row_bias = None if row_bias is None else row_bias.to(hidden.dtype)
    return F.linear(hidden, rows, row_bias)


def _give_wrapped_head_a_bias(model: nn.Module) -> None:
    """peft's wrapper for trained rows has no `bias`, which TRL reads; heads with one are refused (`ntl_hf.lora`)."""
    head = model.get_output_embeddings()
    if not hasattr(head, "bias"):
        head.bias = None
