"""Gaussian label smoothing: targets worked by hand, cross entropy on all logits, and scipy's Wasserstein distance."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from ntl_hf.losses import (
    GaussianSmoothing,
    NumberLoss,
    gaussian_targets,
    soft_cross_entropy_term,
    soft_wasserstein_loss,
    value_distances,
    wasserstein_loss,
)
from ntl_hf.settings.config import NTLConfig

VALUES = torch.tensor([0.0, 1.0, 5.0])
SAME = torch.zeros(3, dtype=torch.long)
values_of_any_spacing = st.lists(st.integers(0, 999), min_size=2, max_size=8, unique=True).map(sorted)
sigmas = st.floats(0.05, 50)


def one_form(values: Tensor) -> Tensor:
    return torch.zeros(len(values), dtype=torch.long)


def test_targets_worked_by_hand() -> None:
    """Sigma 1: exp(-1/2) for the distance 1, exp(-8) for 4, exp(-12.5) for 5, each row divided by its sum."""
    near, far, farther = math.exp(-0.5), math.exp(-8), math.exp(-12.5)
    rows = torch.tensor([[1, near, farther], [near, 1, far], [farther, far, 1]])
    torch.testing.assert_close(gaussian_targets(VALUES, SAME, 1.0), rows / rows.sum(1, keepdim=True))


def test_targets_keep_to_tokens_that_are_written_alike() -> None:
    """Such as `5` and `Ġ5`: the label's own form has all of the mass, the other none."""
    values = torch.tensor([1.0, 1.0, 2.0, 2.0])
    forms = torch.tensor([0, 1, 0, 1])
    targets = gaussian_targets(values, forms, 1.0)
    assert torch.equal(targets > 0, forms[:, None] == forms[None, :])
    torch.testing.assert_close(targets[0, [0, 2]], targets[1, [1, 3]])


@given(values_of_any_spacing, sigmas)
def test_targets_are_distributions_that_peak_at_the_label_and_fall_with_distance(values: list[int], s: float) -> None:
    targets = gaussian_targets(torch.tensor(values).float(), one_form(torch.tensor(values)), s)
    torch.testing.assert_close(targets.sum(1), torch.ones(len(values)))
    for i, row in enumerate(targets):
        order = sorted(range(len(values)), key=lambda j: abs(values[j] - values[i]))
        assert row[order].diff().le(1e-7).all()


def test_sigma_0_is_the_label_alone() -> None:
    assert torch.equal(gaussian_targets(VALUES, SAME, 0), torch.eye(3))
    tiny = gaussian_targets(VALUES, SAME, 1e-3)
    torch.testing.assert_close(tiny, torch.eye(3))
    logits = torch.randn(3, 3)
    assert torch.equal(soft_cross_entropy_term(logits, torch.arange(3), torch.eye(3)), torch.zeros(3))
    plain = wasserstein_loss(logits, torch.arange(3), value_distances(VALUES))
    torch.testing.assert_close(soft_wasserstein_loss(logits, torch.arange(3), VALUES, torch.eye(3)), plain)


@given(st.integers(0, 2**30), sigmas)
def test_the_term_is_what_soft_targets_add_to_cross_entropy_over_the_whole_vocabulary(seed: int, sigma: float) -> None:
    """torch's own cross entropy with probabilities as targets, value and gradient, in float64."""
    torch.manual_seed(seed)
    logits = torch.randn(5, 12, dtype=torch.float64, requires_grad=True)
    ids, columns = torch.tensor([3, 4, 9]), torch.randint(3, (5,))
    soft = gaussian_targets(VALUES, SAME, sigma).double()
    targets = torch.zeros(5, 12, dtype=torch.float64).index_copy(1, ids, soft[columns])
    wanted = F.cross_entropy(logits, targets, reduction="none")
    found = F.cross_entropy(logits, ids[columns], reduction="none") + soft_cross_entropy_term(
        logits[:, ids], columns, soft
    )
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
    gradients = [torch.autograd.grad(x.sum(), logits, retain_graph=True)[0] for x in (found, wanted)]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-6)


@given(values_of_any_spacing, sigmas, st.integers(0, 2**30))
def test_wasserstein_is_that_of_scipy(values: list[int], sigma: float, seed: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    torch.manual_seed(seed)
    numbers = torch.tensor(values).float()
    logits, columns = 3 * torch.randn(len(values), len(values)), torch.arange(len(values))
    soft = gaussian_targets(numbers, one_form(numbers), sigma)
    found = soft_wasserstein_loss(logits, columns, numbers, soft)
    wanted = [
        stats.wasserstein_distance(values, values, p, q)
        for p, q in zip(logits.softmax(1).tolist(), soft.tolist(), strict=True)
    ]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float32), rtol=1e-4, atol=1e-4)


def test_wasserstein_is_0_where_the_model_believes_the_targets() -> None:
    soft = gaussian_targets(VALUES, SAME, 2.0)
    losses = soft_wasserstein_loss(soft.log(), torch.arange(3), VALUES, soft)
    torch.testing.assert_close(losses, torch.zeros(3))


def test_only_was_looks_at_the_soft_targets() -> None:
    soft = gaussian_targets(VALUES, SAME, 2.0)
    logits, columns = torch.randn(3, 3), torch.arange(3)
    for loss in ("was", "mse", "mae", "huber", "lp"):
        config = NTLConfig(loss=loss, gaussian_sigma=2.0)
        plain, smoothed = NumberLoss(config, VALUES), NumberLoss(config, VALUES, soft)
        assert torch.equal(plain(logits, columns), smoothed(logits, columns)) is (loss != "was")


def test_positions_without_a_number_have_no_term_and_no_gradient() -> None:
    smoothing = GaussianSmoothing(gaussian_targets(VALUES, SAME, 1.0))
    logits = torch.randn(3, 3)
    logits[1] = float("-inf")
    logits.requires_grad_()
    terms = smoothing(logits, torch.tensor([0, -1, 2]))
    terms.sum().backward()
    assert terms[1] == 0 and torch.equal(logits.grad[1], torch.zeros(3))
    assert logits.grad.isfinite().all() and logits.grad[0].abs().sum() > 0


def test_a_logit_that_no_target_asks_for_may_be_minus_infinity() -> None:
    """Such as a form of a digit that the model has ruled out."""
    soft = gaussian_targets(torch.tensor([1.0, 1.0, 2.0]), torch.tensor([0, 1, 0]), 1.0)
    logits = torch.tensor([[0.5, -torch.inf, 1.0]], requires_grad=True)
    term = soft_cross_entropy_term(logits, torch.tensor([0]), soft)
    term.sum().backward()
    assert term.isfinite().all() and logits.grad[0, [0, 2]].isfinite().all()
