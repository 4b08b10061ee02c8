"""Number mass: the probability that the model puts on number tokens at all, and the losses weighed by it."""

import torch
from torch import Tensor

# The peer package's constant: leaving the number tokens costs a little more than the worst number.
OUTSIDE_FACTOR = 1.01


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
