"""Number mass: the probability that the model puts on number tokens at all, and the losses weighed by it."""

import torch
from torch import Tensor

# The peer package's constant: leaving the number tokens costs a little more than the worst number.
OUTSIDE_FACTOR = 1.01


def log_number_mass(number_logits: Tensor, target: Tensor, label_log_probs: Tensor) -> Tensor:
    """Log of the probability on all number tokens, without a look at the other logits, `[...]`, float32, at most 0.

    With the label y a number token, log P(numbers) = log p(y) - log_softmax(number_logits)[y].

    Args:
        number_logits: logits of the number tokens, `[..., D]`.
        target: column of the label among them, `[...]`, int64.
        label_log_probs: log-probability of the label among the whole vocabulary, `[...]`.
    """
    log_share = number_logits.float().log_softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
    # Rounding of the two can leave a probability above 1 by a little.
    return (label_log_probs.float() - log_share).clamp(max=0)


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
