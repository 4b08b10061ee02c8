"""Losses as functions of single tokens, made as a config names them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ntl_hf.losses import NumberLoss
from ntl_hf.settings.config import NTLConfig
from ntl_hf.tokens.number_layout.kinds import Kind
from ntl_hf.tokens.number_layout.layout import NumberLayout

DIGITS = torch.arange(10.0)
Loss = Callable[[Tensor, Tensor], Tensor]


def lone_layout(true_values: Tensor) -> NumberLayout:
    """Every token is a whole number of one digit."""
    n = len(true_values)
    none, no = torch.zeros(n, dtype=torch.long), torch.zeros(n, dtype=torch.bool)
    tenths = true_values.float() / 10
    return NumberLayout(
        number=torch.arange(n),
        is_first=~no,
        kind=none + Kind.DIGITS,
        width=none + 1,
        value=true_values.float(),
        digits_before=none,
        whole_digits=none + 1,
        fraction_digits=none,
        in_fraction=no,
        is_negative=no,
        prefix=none.float(),
        whole=tenths,
        total=tenths,
        is_readable=~no,
    )


def token_loss(values: Tensor = DIGITS, mass: float = 1.0, **settings: Any) -> Loss:
    """The loss that the settings describe, of number logits `[n, D]` and columns `[n]`.

    Args:
        values: `[D]`, ascending.
        mass: probability on the number tokens, at every position.
        settings: of `NTLConfig`.
    """
    widths, marks = torch.ones(len(values), dtype=torch.long), torch.zeros(0, dtype=torch.long)
    loss = NumberLoss(NTLConfig(**settings), values, widths=widths, mark_kinds=marks)

    def value(logits: Tensor, target: Tensor) -> Tensor:
        log_mass = torch.full_like(target, mass, dtype=torch.float64).log()
        return loss(logits, target, log_mass, lone_layout(values[target]))

    return value
