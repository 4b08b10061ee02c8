"""The losses of the paper, one value per position, from number logits and target columns.

Shapes and dtypes shared by the functions below: `number_logits` is `[..., D]`, the logits of the D number tokens
alone, of any float dtype; `target` is `[...]`, int64, the column of the true number token, 0 to D - 1. Results are
`[...]`, float32 (float64 for float64 logits), in the unit of the values (squared for MSE). p below is the softmax
over the D number logits, v the values, y the true value.

Source: Zausinger et al., "Regress, Don't Guess", ICML 2025, arXiv 2411.02083, equations for NTL-MSE and NTL-WAS.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def neutral_inputs(number_logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and number logits that any loss can be made of, also where the label is no number (`target` is -1).

    A NaN or an infinity at a position that does not count would come back as NaN in the gradient, however it is masked
    afterwards.
    """
    return target.clamp_min(0), number_logits.masked_fill((target < 0).unsqueeze(-1), 0.0)


def number_probs(number_logits: Tensor) -> Tensor:
    """Probability of each number token among the number tokens, `[..., D]`, float32 or float64."""
    return number_logits.to(torch.promote_types(number_logits.dtype, torch.float32)).softmax(-1)


def expected_value(number_logits: Tensor, values: Tensor) -> Tensor:
    """The expected number, sum_j p_j v_j, `[...]`, in the unit of `values` (`[D]`)."""
    probs = number_probs(number_logits)
    # Not a matrix product: autocast would run it in half precision.
    return (probs * values.to(probs.dtype)).sum(-1)


def wasserstein_loss(number_logits: Tensor, target: Tensor, distances: Tensor) -> Tensor:
    """NTL-WAS: the Wasserstein-1 distance to the one-hot target, sum_j p_j d(y, v_j).

    Args:
        number_logits: `[..., D]`.
        target: `[...]`.
        distances: `[D, D]`, see `value_distances`.
    """
    probs = number_probs(number_logits)
    return (probs * distances.to(probs.dtype)[target]).sum(-1)


def mse_loss(number_logits: Tensor, target: Tensor, values: Tensor) -> Tensor:
    """NTL-MSE: (sum_j p_j v_j - y)^2."""
    return lp_loss(number_logits, target, values, p=2.0)


def mae_loss(number_logits: Tensor, target: Tensor, values: Tensor) -> Tensor:
    """NTL-MAE: |sum_j p_j v_j - y|."""
    return lp_loss(number_logits, target, values, p=1.0)


def lp_loss(number_logits: Tensor, target: Tensor, values: Tensor, p: float = 2.0) -> Tensor:
    """NTL-Lp: |sum_j p_j v_j - y|^p, p >= 1."""
    return lp_cost(*_predicted_and_true(number_logits, target, values), p=p)


def huber_loss(number_logits: Tensor, target: Tensor, values: Tensor, delta: float = 1.0) -> Tensor:
    """NTL-Huber: e^2 / 2 where |e| <= delta, else delta * (|e| - delta / 2), with e = sum_j p_j v_j - y."""
    return huber_cost(*_predicted_and_true(number_logits, target, values), delta=delta)


def lp_cost(predicted: Tensor, true: Tensor, p: float) -> Tensor:
    """|predicted - true|^p; the common exponents take the forms with a gradient of 0 at 0."""
    if p == 1:
        return F.l1_loss(predicted, true, reduction="none")
    if p == 2:
        return F.mse_loss(predicted, true, reduction="none")
    return (predicted - true).abs().pow(p)


def huber_cost(predicted: Tensor, true: Tensor, delta: float) -> Tensor:
    """Huber cost of each error, see `huber_loss`."""
    return F.huber_loss(predicted, true, reduction="none", delta=delta)


def _predicted_and_true(number_logits: Tensor, target: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    predicted = expected_value(number_logits, values)
    return predicted, values.to(predicted.dtype)[target]
