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
from .soft_targets import (
    GaussianSmoothing,
    gaussian_targets,
    soft_cross_entropy_term,
    soft_wasserstein_loss,
)

__all__ = [
    "GaussianSmoothing",
    "NumberLoss",
    "expected_value",
    "gaussian_targets",
    "huber_loss",
    "log_number_mass",
    "lp_loss",
    "mae_loss",
    "mse_loss",
    "number_probs",
    "reduce_losses",
    "reweigh_by_mass",
    "soft_cross_entropy_term",
    "soft_wasserstein_loss",
    "value_distances",
    "wasserstein_loss",
]
