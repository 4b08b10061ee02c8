"""`NumberLoss`: a loss by its name in the config, ready for one vocabulary."""

from functools import partial

import torch
from torch import Tensor, nn

from ..config import NTLConfig
from .distances import value_distances
from .mass import reweigh_by_mass
from .number_losses import (
    expected_value,
    huber_cost,
    huber_loss,
    lp_cost,
    lp_loss,
    neutral_inputs,
    wasserstein_loss,
)
from .soft_targets import soft_wasserstein_loss


class NumberLoss(nn.Module):
    """The loss that `config` names, over number tokens worth `values`.

    Holds its constants as buffers: `.to(device)` moves them. It has no parameters.

    Args:
        config: the settings `loss`, `reweigh`, `squash_factor`, `p` and `huber_delta` are used.
        values: value of each number token, `[D]`, ascending.
        soft_targets: what "was" measures the distance to, `[D, D]`, see `gaussian_targets`; None: the true token
            alone. The other losses compare expected and true value in either case.

    Raises:
        ValueError: `squash_factor` with values that are all equal.
    """

    values: Tensor
    distances: Tensor
    largest: Tensor
    soft_targets: Tensor | None

    def __init__(self, config: NTLConfig, values: Tensor, soft_targets: Tensor | None = None) -> None:
        super().__init__()
        self.name = config.loss
        self.reweigh = config.reweigh
        exponent = {"mse": 2.0, "mae": 1.0, "lp": config.p}
        self.register_buffer("values", values.float(), persistent=False)
        self.register_buffer("soft_targets", soft_targets, persistent=False)
        if config.loss == "was":
            distances = value_distances(values, config.squash_factor)
            self.register_buffer("distances", distances, persistent=False)
            largest = distances.max()
        elif config.loss == "huber":
            self._loss = partial(huber_loss, delta=config.huber_delta)
            largest = huber_cost(self.values.min(), self.values.max(), delta=config.huber_delta)
        else:
            self._loss = partial(lp_loss, p=exponent[config.loss])
            largest = lp_cost(self.values.min(), self.values.max(), p=exponent[config.loss])
        self.register_buffer("largest", largest, persistent=False)

    def forward(self, number_logits: Tensor, target: Tensor, log_mass: Tensor | None = None) -> Tensor:
        """The loss at each position, `[...]`, float32; 0, with a gradient of 0, where the label is no number.

        Args:
            number_logits: `[..., D]`.
            target: column of the label among the number tokens, `[...]`, int64; -1 where it is not one of them.
            log_mass: log of the number mass, `[...]`; needed with `reweigh`.

        Raises:
            ValueError: `reweigh` without `log_mass`.
        """
        is_number = target >= 0
        column, number_logits = neutral_inputs(number_logits, target)
        if self.soft_targets is not None and self.name == "was":
            losses = soft_wasserstein_loss(number_logits, column, self.values, self.soft_targets)
        elif self.name == "was":
            losses = wasserstein_loss(number_logits, column, self.distances)
        else:
            losses = self._loss(number_logits, column, self.values)
        if self.reweigh:
            if log_mass is None:
                raise ValueError("`reweigh=True` needs the number mass at every position (`log_mass`).")
            losses = reweigh_by_mass(losses, log_mass.masked_fill(~is_number, 0.0), self.largest)
        return losses.masked_fill(~is_number, 0.0)

    @torch.no_grad()
    def absolute_error(self, number_logits: Tensor, target: Tensor) -> Tensor:
        """|expected value - true value|, `[...]`, float32; 0 where the label is no number."""
        error = (expected_value(number_logits, self.values) - self.values[target.clamp_min(0)]).abs()
        return error.masked_fill(target < 0, 0.0)
