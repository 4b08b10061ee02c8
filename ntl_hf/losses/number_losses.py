"""The losses of the paper, one value per position, from number logits and target columns, and the number mass: the
probability that the model puts on number tokens at all.

Shapes and dtypes shared by the functions below: `number_logits` is `[..., D]`, the logits of the D number tokens
alone, of any float dtype; `target` is `[...]`, int64, the column of the true number token, 0 to D - 1. Results are
`[...]`, float32 (float64 for float64 logits), in the unit of the values (squared for MSE). p below is the softmax
over the D number logits, v the values, y the true value.

Source: Zausinger et al., "Regress, Don't Guess", ICML 2025, arXiv 2411.02083, equations for NTL-MSE and NTL-WAS.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

# The peer package's constant: leaving the number tokens costs a little more than the worst number.
OUTSIDE_FACTOR = 1.01


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


def log_number_mass(number_logits: Tensor, log_normalizer: Tensor, target: Tensor) -> Tensor:
    """Log of the probability on all number tokens, `[...]`, at most 0; 0 where the label is not a number.

    Args:
        number_logits: logits of the number tokens, `[..., D]`, float32 or float64.
        log_normalizer: logsumexp of the logits of the whole vocabulary, `[...]`.
        target: column of the label among the number tokens, `[...]`, int64; -1 where it is not one of them.
    """
    no_number = target < 0
    # Neutral where the label is no number: there, all number logits may be -inf, and the gradient of their logsumexp
    # is then NaN.
    inside = number_logits.masked_fill(no_number.unsqueeze(-1), 0.0).logsumexp(-1)
    # Rounding of the two can leave a probability above 1 by a little.
    return (inside - log_normalizer).clamp(max=0).masked_fill(no_number, 0.0)


def reweigh_by_mass(losses: Tensor, log_mass: Tensor, largest: float | Tensor) -> Tensor:
    """Charge the mass outside the number tokens: m * loss + 1.01 * (1 - m) * largest, `[...]`.

    m = exp(log_mass) is the number mass; `largest` is the largest value that the loss can take between two numbers.
    Source: the `reweigh` option of the paper's package (`ntloss`, `reweigh_fn`); the paper itself does without.
    """
    mass = log_mass.to(losses.dtype).exp()
    # expm1 keeps 1 - m exact where nearly all mass is on numbers.
    outside = -torch.expm1(log_mass.to(losses.dtype))
    # The product with `outside` comes first: `largest` is float32, also beside float64 losses.
    return losses * mass + outside * largest * OUTSIDE_FACTOR
