"""The table of properties, checked: what holds on random distributions, and a counterexample to what does not."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ntl_hf.losses import distance_targets
from ntl_hf.settings.losses import LOSSES

from .builds import DIGITS, Loss, token_loss
from .properties import ELSEWHERE, NOWHERE, SETTINGS, TABLE, TRUTH, render

PAGE = Path(__file__).parents[2] / "docs" / "losses.md"
IRREGULAR = torch.tensor([0.0, 1.0, 2.0, 7.0])
CERTAIN = 1e4
every_loss = pytest.mark.parametrize("name", TABLE)


def loss_of(name: str, values: Tensor = DIGITS, mass: float = 1.0) -> Loss:
    return token_loss(values, mass, **SETTINGS[name])


def cases(rows: int = 400, size: int = 10) -> tuple[Tensor, Tensor]:
    """Logits of random distributions, from nearly uniform to nearly certain, and true columns."""
    generator = torch.Generator().manual_seed(1)
    scale = 10 ** (2 * torch.rand(rows, 1, generator=generator, dtype=torch.float64) - 1)
    logits = scale * torch.randn(rows, size, generator=generator, dtype=torch.float64)
    return logits, torch.randint(size, (rows,), generator=generator)


def chords(name: str, in_logits: bool) -> Tensor:
    """How far each loss lies above the chord between two points, at its middle; relative to the chord's height."""
    (a, target), loss = cases(), loss_of(name)
    b = a.roll(1, 0)
    middle = (a + b) / 2
    if not in_logits:
        a, b = a.log_softmax(-1), b.log_softmax(-1)
        middle = torch.logaddexp(a, b) - math.log(2)
    height = (loss(a, target) + loss(b, target)) / 2
    return (loss(middle, target) - height) / height.clamp_min(1e-3)


def test_every_loss_is_in_the_table() -> None:
    assert set(TABLE) == set(LOSSES)


def test_the_page_has_this_table() -> None:
    assert render() in PAGE.read_text(encoding="utf-8"), "print it anew: python -m tests.losses.properties"


@every_loss
def test_convex_in_the_probabilities(name: str) -> None:
    above = chords(name, in_logits=False).max().item()
    assert above < 1e-6 if TABLE[name].convex else above > 0.05


@every_loss
def test_convex_in_the_logits(name: str) -> None:
    above = chords(name, in_logits=True).max().item()
    assert above < 1e-6 if TABLE[name].convex_in_logits else above > 0.05


@pytest.mark.parametrize("values", [DIGITS, IRREGULAR], ids=["digits", "irregular"])
@every_loss
def test_bounds(name: str, values: Tensor) -> None:
    loss, bound = loss_of(name, values), TABLE[name].bound
    size = len(values)
    wrong, target = CERTAIN * torch.eye(size).double().repeat(size, 1), torch.arange(size).repeat_interleave(size)
    largest = loss(wrong, target).max().item()
    if bound is None:
        assert largest > 100 and loss(10 * wrong, target).max().item() == pytest.approx(10 * largest, rel=1e-3)
        return
    assert largest == pytest.approx(bound[0](values), rel=1e-6)
    assert loss(*cases(size=size)).max().item() <= bound[0](values) * (1 + 1e-6)


def test_the_bound_of_smmd_on_digits() -> None:
    bound = TABLE["smmd"].bound
    assert bound is not None and bound[1] == f"{bound[0](DIGITS):.2f} on digits"


@every_loss
def test_certainty_of_the_truth(name: str) -> None:
    found = loss_of(name)(CERTAIN * torch.eye(10), torch.arange(10))
    assert found.gt(1).all() if TABLE[name].zero == NOWHERE else found.eq(0).all()


@pytest.mark.parametrize("name", [name for name, each in TABLE.items() if each.zero == TRUTH])
def test_zero_at_the_truth_alone(name: str) -> None:
    logits, target = cases()
    away = logits.softmax(-1).gather(1, target[:, None]).squeeze(1) < 0.99
    assert away.sum() > 100 and loss_of(name)(logits, target)[away].min() > 1e-6


@pytest.mark.parametrize("name", [name for name, each in TABLE.items() if each.zero == ELSEWHERE])
def test_zero_where_the_model_is_wrong(name: str) -> None:
    """4 is true, and the model sees 3 or 5; for DEL, it is certain of 9 with logits that are all low."""
    logits = torch.full((10,), -2 * CERTAIN).double()
    if name == "del":
        logits[9] = -CERTAIN
    else:
        logits[[3, 5]] = 0
    assert loss_of(name)(logits[None], torch.tensor([4])).item() == 0


def test_dist2_is_zero_at_its_own_targets() -> None:
    found = loss_of("dist2")(distance_targets(DIGITS).log(), torch.arange(10))
    torch.testing.assert_close(found, torch.zeros(10), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shift", [-3.0, 1.0, 50.0])
@every_loss
def test_shift_of_the_values(name: str, shift: float) -> None:
    logits, target = cases()
    plain, moved = loss_of(name)(logits, target), loss_of(name, DIGITS + shift)(logits, target)
    close = torch.isclose(moved, plain, rtol=1e-5, atol=1e-6).all().item()
    assert close is TABLE[name].ignores_value_shift


def test_raft_sees_a_shift_of_the_values_where_there_is_mass_elsewhere() -> None:
    logits, target = cases()
    plain, moved = (loss_of("raft", DIGITS + shift, mass=0.5)(logits, target) for shift in (0, 1))
    assert (plain - moved).abs().max() > 1


@every_loss
@given(shift=st.floats(1, 50))
def test_shift_of_the_logits(name: str, shift: float) -> None:
    logits, target = cases(50)
    plain, moved = loss_of(name)(logits, target), loss_of(name)(logits + shift, target)
    close = torch.isclose(moved, plain, rtol=1e-6, atol=1e-9).all().item()
    assert close is TABLE[name].ignores_logit_shift


@every_loss
def test_scale_of_the_values(name: str) -> None:
    logits, target = cases()
    ratio = loss_of(name, 3 * DIGITS)(logits, target) / loss_of(name)(logits, target)
    # Where neither is rounded.
    ratio, degree = ratio[loss_of(name)(logits, target) > 1e-3], TABLE[name].degree
    assert len(ratio) > 200
    if degree is None:
        assert ratio.max() > 1.2 * ratio.min()
    else:
        torch.testing.assert_close(ratio, torch.full_like(ratio, 3**degree), rtol=1e-4, atol=0)
