"""Scores of the whole predicted distribution: ranked probability, energy and kernel scores.

Shapes and dtypes as in `number_losses`. With p the predicted distribution over the values v, e_y the true token's and
r = p - e_y, each of these is r' K r for a matrix K of the values alone. Where K is (conditionally) positive definite,
the score is proper: its expectation is least where p is the true distribution (Gneiting & Raftery, "Strictly Proper
Scoring Rules, Prediction, and Estimation", 2007, doi 10.1198/016214506000001437, section 5).
"""

import torch
from torch import Tensor

from .number_losses import number_probs


def crps_loss(number_logits: Tensor, target: Tensor, values: Tensor) -> Tensor:
    """Ranked probability score, sum_k (F_k - 1[y <= v_k])^2 (v_{k+1} - v_k) = E|X - y| - E|X - X'| / 2, `[...]`.

    F is the predicted cumulative distribution, and the gaps are those between the values, whatever they are: the
    continuous ranked probability score (CRPS) of a distribution on them. Gneiting & Raftery 2007, equations 20, 21.

    Args:
        number_logits: `[..., D]`.
        target: `[...]`.
        values: `[D]`, in ascending order.
    """
    probs = number_probs(number_logits)
    excess = (probs - _one_hot(target, probs)).cumsum(-1)[..., :-1]
    return (excess.square() * values.diff().to(probs.dtype)).sum(-1)


def kernel_score(number_logits: Tensor, target: Tensor, kernel: Tensor) -> Tensor:
    """r' K r with r = p - e_y, `[...]`: for a kernel, the squared maximum mean discrepancy to the true token.

    Args:
        number_logits: `[..., D]`.
        target: `[...]`.
        kernel: K, `[D, D]`, symmetric.
    """
    probs = number_probs(number_logits)
    residual = probs - _one_hot(target, probs)
    # Autocast would make the product in half precision.
    with torch.autocast(residual.device.type, enabled=False):
        return ((residual @ kernel.to(residual.dtype)) * residual).sum(-1)


def energy_kernel(values: Tensor, beta: float = 1.0) -> Tensor:
    """K = -|v_i - v_j|^beta / 2, `[D, D]`, of the energy score E|X - y|^beta - E|X - X'|^beta / 2; 0 < beta < 2.

    With beta 1 the score is `crps_loss`; towards 2 it becomes the squared error of the expected value, which is no
    longer strictly proper. Gneiting & Raftery 2007, equation 22.
    """
    return -_distances(values).pow(beta) / 2


def gaussian_kernel(values: Tensor, sigma: float = 2.0) -> Tensor:
    """K = exp(-(v_i - v_j)^2 / (2 sigma^2)), `[D, D]`, sigma in units of the values.

    Source of its use for number tokens: "Enhancing Numerical Prediction in LLMs via Smooth MMD Alignment" (SMMD),
    arXiv 2606.27731, with sigma 2.
    """
    return (-(_distances(values) / sigma).square() / 2).exp()


def smoothed_kernel(kernel: Tensor) -> Tensor:
    """K + a L, `[D, D]`, with the graph Laplacian L = diag(K 1) - K and a = 1 / (2 mean(K 1)).

    r' L r = sum_ij K_ij (r_i - r_j)^2 / 2 is large where near tokens have different residuals. Source: SMMD, as above.
    """
    degrees = kernel.sum(-1)
    return kernel + (degrees.diag() - kernel) / (2 * degrees.mean())


def _distances(values: Tensor) -> Tensor:
    # float64: between tokens of many digits, differences of squares would be lost in float32.
    values = values.double()
    return (values[:, None] - values[None, :]).abs()


def _one_hot(target: Tensor, probs: Tensor) -> Tensor:
    return torch.zeros_like(probs).scatter_(-1, target.unsqueeze(-1), 1.0)
