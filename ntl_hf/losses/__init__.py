"""Number losses: pure tensor functions of number logits and target columns."""

from .distances import value_distances
from .mass import log_number_mass, reweigh_by_mass
from .number_loss import NumberLoss
from .number_losses import (
    expected_value,
    huber_loss,
    lp_loss,
    mae_loss,
    mse_loss,
    number_probs,
    wasserstein_loss,
)
from .reduction import reduce_losses

__all__ = [
    "NumberLoss",
    "expected_value",
    "huber_loss",
    "log_number_mass",
    "lp_loss",
    "mae_loss",
    "mse_loss",
    "number_probs",
    "reduce_losses",
    "reweigh_by_mass",
    "value_distances",
    "wasserstein_loss",
]
