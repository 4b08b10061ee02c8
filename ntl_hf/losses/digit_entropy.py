"""Digit Entropy Loss (DEL).

Source: Zheng et al., "DEL: Digit Entropy Loss for Numerical Learning of Large Language Models", arXiv 2605.20369, as
its authors' code has it (github.com/PolyU-VCLab/DEL).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .number_losses import number_probs

_LOWEST = -1e30


def digit_entropy_loss(number_logits: Tensor, target: Tensor) -> Tensor:
    """sum_j p_j b_j / D, `[...]`, nats, with b_j = -log s(z_j) at the true token and -log(1 - s(z_j)) at the others.

    p is the softmax over the D number logits z and s the sigmoid: the binary cross entropies of all number tokens,
    weighed by what the model believes in them. Unlike the other losses it depends on where the logits stand: adding a
    number to all of them changes it. The authors weigh it by place (`place_weights`, "del") and by 0.01.

    Args:
        number_logits: `[..., D]`.
        target: `[...]`, column of the true token.
    """
    # A token that is ruled out, at -inf, costs nothing, and not 0 * inf.
    logits = number_logits.to(torch.promote_types(number_logits.dtype, torch.float32)).clamp_min(_LOWEST)
    truth = torch.zeros_like(logits).scatter_(-1, target.unsqueeze(-1), 1.0)
    binary = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (number_probs(number_logits) * binary).mean(-1)
