"""Number losses: pure tensor functions of number logits and target columns."""

from .digit_entropy import digit_entropy_loss
from .distances import value_distances
from .number_loss import NumberLoss
from .number_losses import (
    expected_value,
    huber_loss,
    log_number_mass,
    lp_loss,
    mae_loss,
    mse_loss,
    number_probs,
    reweigh_by_mass,
    wasserstein_loss,
)
from .place_weights import del_weights, ntil_weights
from .proper_scores import crps_loss, energy_kernel, gaussian_kernel, kernel_score, smoothed_kernel
from .reduction import reduce_losses
from .regression_aware import raft_loss
from .soft_targets import (
    GaussianSmoothing,
    distance_targets,
    gaussian_targets,
    soft_cross_entropy_term,
    soft_divergence_loss,
    soft_wasserstein_loss,
)
from .whole_number import absolute_error, expected_errors, log_error, relative_error

__all__ = [
    "GaussianSmoothing",
    "NumberLoss",
    "absolute_error",
    "crps_loss",
    "del_weights",
    "digit_entropy_loss",
    "distance_targets",
    "energy_kernel",
    "expected_errors",
    "expected_value",
    "gaussian_kernel",
    "gaussian_targets",
    "huber_loss",
    "kernel_score",
    "log_error",
    "log_number_mass",
    "lp_loss",
    "mae_loss",
    "mse_loss",
    "ntil_weights",
    "number_probs",
    "raft_loss",
    "reduce_losses",
    "relative_error",
    "reweigh_by_mass",
    "smoothed_kernel",
    "soft_cross_entropy_term",
    "soft_divergence_loss",
    "soft_wasserstein_loss",
    "value_distances",
    "wasserstein_loss",
]
