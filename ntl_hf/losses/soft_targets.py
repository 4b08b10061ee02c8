"""Soft targets over number tokens: Gaussian label smoothing, targets by distance, and losses to them.

Sources: Gaussian cross entropy (GCE) in the ablations of Zausinger et al., "Regress, Don't Guess", arXiv 2411.02083;
DIST2Loss, Chung et al., "Teaching Metric Distance to Discrete Autoregressive Language Models", arXiv 2503.02379.
"""

import torch
from torch import Tensor, nn

from .number_losses import neutral_inputs, number_probs


def gaussian_targets(values: Tensor, forms: Tensor, sigma: float) -> Tensor:
    """Soft targets: row y is the distribution over the D number tokens for the label y, `[D, D]`, float32.

    q_j is proportional to exp(-(v_j - v_y)^2 / (2 sigma^2)) among the tokens written like y, and 0 elsewhere: the
    neighbours of `Ġ5` are `Ġ4` and `Ġ6`, not the `4` without a space, nor `45`.

    Args:
        values: value of each number token, `[D]`.
        forms: how each is written, `[D]`, int64, see `NumberVocab.forms`.
        sigma: standard deviation in the unit of the values; 0 gives the one-hot targets.
    """
    if sigma == 0:
        return torch.eye(len(values))
    # float64: far values must underflow to 0, and near ones not be rounded.
    values = values.double()
    exponents = -((values[:, None] - values[None, :]) / sigma).square() / 2
    return exponents.masked_fill(forms[:, None] != forms[None, :], -torch.inf).softmax(-1).float()


def soft_cross_entropy_term(number_logits: Tensor, target: Tensor, soft_targets: Tensor) -> Tensor:
    """What soft targets q add to the cross entropy of the label y: sum_j q_j (z_y - z_j), `[...]`, float32 or float64.

    With log p_j = z_j - log Z, -sum_j q_j log p_j = -log p_y + sum_j q_j (z_y - z_j): the normaliser over the whole
    vocabulary is in the first part alone.

    Args:
        number_logits: z, `[..., D]`.
        target: column of the label, `[...]`, int64, 0 to D - 1.
        soft_targets: `[D, D]`.
    """
    logits = number_logits.to(torch.promote_types(number_logits.dtype, torch.float32))
    differences = logits.gather(-1, target.unsqueeze(-1)) - logits
    targets = soft_targets.to(logits.dtype)[target]
    # A logit of -inf that no target asks for costs nothing, and not 0 * inf.
    return torch.where(targets > 0, targets * differences, 0.0).sum(-1)


def soft_wasserstein_loss(number_logits: Tensor, target: Tensor, values: Tensor, soft_targets: Tensor) -> Tensor:
    """NTL-WAS to soft targets: the Wasserstein-1 distance between two distributions over the values, `[...]`.

    In one dimension it is the area between the cumulative distributions, sum_k |P_k - Q_k| (v_{k+1} - v_k), with the
    real gaps between the values, which are not 1 where a vocabulary has tokens of several digits. With one-hot targets
    it is `wasserstein_loss`.

    Args:
        number_logits: `[..., D]`.
        target: column of the label, `[...]`, int64, 0 to D - 1.
        values: `[D]`, in ascending order.
        soft_targets: `[D, D]`.
    """
    probs = number_probs(number_logits)
    excess = (probs - soft_targets.to(probs.dtype)[target]).cumsum(-1)[..., :-1]
    return (excess.abs() * values.diff().to(probs.dtype)).sum(-1)


def distance_targets(values: Tensor, temperature: float = 1.0) -> Tensor:
    """Soft targets of DIST2Loss: row y is softmax_j(-|v_j - v_y| / temperature), `[D, D]`, float32.

    Args:
        values: `[D]`.
        temperature: in units of the values; towards 0 they become one-hot.
    """
    values = values.double()
    return (-(values[:, None] - values[None, :]).abs() / temperature).softmax(-1).float()


def soft_divergence_loss(number_logits: Tensor, target: Tensor, soft_targets: Tensor) -> Tensor:
    """Kullback-Leibler divergence of p from soft targets q, sum_j q_j log(q_j / p_j), `[...]`, nats; 0 where p = q.

    With `distance_targets` it is DIST2Loss; p is the softmax over the number logits alone.

    Args:
        number_logits: `[..., D]`.
        target: column of the label, `[...]`, int64, 0 to D - 1.
        soft_targets: `[D, D]`.
    """
    log_probs = number_logits.to(torch.promote_types(number_logits.dtype, torch.float32)).log_softmax(-1)
    targets = soft_targets.to(log_probs.dtype)[target]
    # As above: what no target asks for costs nothing.
    return torch.where(targets > 0, torch.special.xlogy(targets, targets) - targets * log_probs, 0.0).sum(-1)


class GaussianSmoothing(nn.Module):
    """What Gaussian label smoothing adds to the cross entropy of each position, ready for one vocabulary.

    Holds its constants as buffers: `.to(device)` moves them. It has no parameters.

    Args:
        soft_targets: `[D, D]`, see `gaussian_targets`.
    """

    soft_targets: Tensor

    def __init__(self, soft_targets: Tensor) -> None:
        super().__init__()
        self.register_buffer("soft_targets", soft_targets, persistent=False)

    def forward(self, number_logits: Tensor, target: Tensor) -> Tensor:
        """The term at each position, `[...]`; 0, with a gradient of 0, where the label is no number (`target` -1)."""
        column, number_logits = neutral_inputs(number_logits, target)
        return soft_cross_entropy_term(number_logits, column, self.soft_targets).masked_fill(target < 0, 0.0)
