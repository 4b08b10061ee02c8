"""The facts of each loss (`settings.losses`), against what computes it and against the page."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from ntl_hf import NTLConfig
from ntl_hf.losses import NumberLoss
from ntl_hf.losses.terms import _MAKERS
from ntl_hf.settings.losses import LOSS_FACTS, LossFacts

from .builds import DIGITS, token_loss

PAGE = Path(__file__).parents[2] / "docs" / "losses.md"
OTHER: dict[str, Any] = {
    "squash_factor": 3.0,
    "reweigh": True,
    "huber_delta": 0.5,
    "p": 3.0,
    "energy_beta": 1.5,
    "kernel_sigma": 1.0,
    "dist2_temperature": 0.5,
    "raft_grid": [1, 2, 3],
    "number_error": "absolute",
}
# Of the values of each loss: "values", those of the number tokens, or a power of them, "nats" or "none"; and the
# fields of `NTLConfig` that change it.
UNITS_AND_SETTINGS: dict[str, tuple[str, set[str]]] = {
    "was": ("values", {"squash_factor", "gaussian_sigma", "reweigh"}),
    "mse": ("values^2", {"reweigh"}),
    "mae": ("values", {"reweigh"}),
    "huber": ("values^2", {"huber_delta", "reweigh"}),
    "lp": ("values^p", {"p", "reweigh"}),
    "crps": ("values", set()),
    "energy": ("values^beta", {"energy_beta"}),
    "mmd": ("none", {"kernel_sigma"}),
    "smmd": ("none", {"kernel_sigma"}),
    "dist2": ("nats", {"dist2_temperature"}),
    "del": ("nats", set()),
    "raft": ("values^2", {"raft_grid"}),
    "number": ("none, nats or the numbers'", {"number_error"}),
}
every_loss = pytest.mark.parametrize(("name", "facts"), LOSS_FACTS.items())


def values(**settings: Any) -> torch.Tensor:
    logits = torch.randn(10, 10, generator=torch.Generator().manual_seed(0))
    return token_loss(DIGITS, mass=0.5, **settings)(logits, torch.arange(10))


def rows_of_page() -> dict[str, tuple[str, set[str]]]:
    """Unit and settings by name, of the first table: `mse` and `mae` share a row, with a unit each."""
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").split("| `ntl_loss` |")[1].split("\n\n")[0].splitlines():
        if line.startswith("| `"):
            names, _, unit, settings, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            names = re.findall(r"`(\w+)`", names)
            units = unit.split(", ") if len(names) > 1 else [unit]
            rows |= {n: (u, set(re.findall(r"`(\w+)`", settings))) for n, u in zip(names, units, strict=True)}
    return rows


def test_every_loss_has_a_row_and_a_maker() -> None:
    assert set(LOSS_FACTS) == set(_MAKERS)


def test_the_page_has_these_facts() -> None:
    assert rows_of_page() == UNITS_AND_SETTINGS


@every_loss
def test_settings_that_change_it(name: str, facts: LossFacts) -> None:
    _, settings = UNITS_AND_SETTINGS[name]
    assert settings <= {each.name for each in fields(NTLConfig)}
    assert ("reweigh" in settings) is facts.allows_reweigh
    for setting, other in OTHER.items():
        if setting in ("squash_factor", "reweigh") and setting not in settings:
            with pytest.raises(ValueError, match=setting):
                NTLConfig(loss=name, **{setting: other})
        else:
            is_same = torch.equal(values(loss=name), values(loss=name, **{setting: other}))
            assert is_same is (setting not in settings), setting


@every_loss
def test_weights_by_place(name: str, facts: LossFacts) -> None:
    if not facts.takes_place_weights:
        with pytest.raises(ValueError, match="place_weights"):
            NTLConfig(loss=name, place_weights="del")
        return
    torch.testing.assert_close(values(loss=name, place_weights="del"), 2 * values(loss=name))


@every_loss
def test_what_it_cannot_do_without(name: str, facts: LossFacts) -> None:
    config = NTLConfig(loss=name)
    assert (config.reads_text, config.needs_mass) == (facts.reads_text, facts.needs_mass)
    widths, marks = torch.ones(10, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    loss = NumberLoss(config, DIGITS, widths=widths, mark_kinds=marks)
    logits, target, log_mass = torch.zeros(10, 10), torch.arange(10), torch.zeros(10)
    if facts.reads_text:
        with pytest.raises(ValueError, match="layout"):
            loss(logits, target, log_mass)
    if facts.needs_mass:
        with pytest.raises(ValueError, match="mass"):
            loss(logits, target)
    if not facts.reads_text and not facts.needs_mass:
        assert loss(logits, target).isfinite().all()


@every_loss
def test_a_largest_value_is_what_reweighing_needs(name: str, facts: LossFacts) -> None:
    widths, marks = torch.ones(10, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    (term,) = NumberLoss(NTLConfig(loss=name), DIGITS, widths=widths, mark_kinds=marks).terms
    assert (term.largest is not None) is facts.allows_reweigh
