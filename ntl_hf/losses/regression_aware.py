"""Regression-aware fine-tuning (RAFT).

Source: Lukasik et al., "Better autoregressive regression with LLMs via regression-aware fine-tuning", ICLR 2025.
"""

import torch
from torch import Tensor

from .number_losses import lp_cost, number_probs


def raft_loss(number_logits: Tensor, log_mass: Tensor, target: Tensor, values: Tensor, grid: Tensor) -> Tensor:
    """(sum_{y in grid} p(y) y - y*)^2, `[...]`, in squared units of the values.

    p is the probability among all tokens of the vocabulary, not among the numbers alone: mass off the grid counts as
    0. For answers of one token; the paper trains on it without cross entropy.

    Args:
        number_logits: `[..., D]`.
        log_mass: log of the probability on all number tokens, `[...]`.
        target: `[...]`, column of the true token.
        values: `[D]`.
        grid: which tokens are answers, `[D]`, bool.
    """
    probs = number_probs(number_logits)
    worth = values.to(probs.dtype) * grid
    expected = (probs * worth).sum(-1) * log_mass.to(probs.dtype).exp()
    return lp_cost(expected, values.to(probs.dtype)[target], p=2.0)


def grid_columns(values: Tensor, grid: list[float] | None) -> Tensor:
    """Which number tokens are answers, `[D]`, bool: those whose value `grid` has; without one, all.

    Raises:
        ValueError: an answer is no token.
    """
    if grid is None:
        return torch.ones_like(values, dtype=torch.bool)
    missing = sorted(set(grid) - set(values.tolist()))
    if missing:
        raise ValueError(
            f"`raft_grid`: {missing[0]:g} is no number token of this tokenizer; an answer must be one token. Remove "
            "it, or set `digits_only` (`ntl_digits_only`) to false if there are tokens of several digits."
        )
    return torch.isin(values, torch.tensor(grid, dtype=values.dtype, device=values.device))
