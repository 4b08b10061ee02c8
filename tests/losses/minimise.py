"""Expected losses, and the distributions that minimise them."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from .builds import token_loss
from .properties import SETTINGS, random_truths

TRUE = torch.arange(10)
Objective = Callable[[Tensor], Tensor]


def expectation(name: str, truth: Tensor) -> Objective:
    """E_{y~truth} L(z, y) of number logits z, `[10]`."""
    loss = token_loss(**SETTINGS[name])
    return lambda logits: (truth * loss(logits.expand(10, 10), TRUE)).sum()


def with_cross_entropy(name: str, truth: Tensor, weight: float) -> Objective:
    """E_{y~truth} [CE + weight L]."""
    alone = expectation(name, truth)
    return lambda logits: weight * alone(logits) - (truth * logits.log_softmax(-1)).sum()


def minimiser(objective: Objective, starts: list[Tensor]) -> tuple[Tensor, float]:
    """The best of several descents: logits `[10]`, float64, and the value there."""

    def value_and_gradient(point: np.ndarray) -> tuple[float, np.ndarray]:
        logits = torch.tensor(point, requires_grad=True)
        value = objective(logits)
        return value.item(), torch.autograd.grad(value, logits)[0].numpy()

    options = {"gtol": 1e-9, "maxiter": 500}
    found = [minimize(value_and_gradient, start.numpy(), jac=True, method="BFGS", options=options) for start in starts]
    best = min(found, key=lambda each: each.fun)
    return torch.tensor(best.x), float(best.fun)


def starts(seed: int = 0) -> list[Tensor]:
    """The uniform distribution, and two others."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.zeros(10).double(), *(2 * torch.randn(2, 10, generator=generator, dtype=torch.float64))]


@cache
def alone(name: str) -> list[tuple[Tensor, Tensor, float, float]]:
    """For each random truth q: q, the minimiser p of the expected loss, its value, and the value at q."""
    found = []
    for truth in random_truths():
        objective = expectation(name, truth)
        logits, value = minimiser(objective, starts())
        found.append((truth, logits.softmax(-1), value, objective(truth.log()).item()))
    return found


@cache
def divergences(name: str, weight: float = 0.3) -> list[float]:
    """KL(q || p) in nats of the minimiser p of CE + weight L from each random truth q."""
    found = []
    for truth in random_truths():
        logits, _ = minimiser(with_cross_entropy(name, truth, weight), [truth.log(), *starts()[:2]])
        found.append((truth * (truth.log() - logits.log_softmax(-1))).sum().item())
    return found
