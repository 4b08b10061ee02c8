"""The loss landscape against closed forms."""

import math

import pytest

from ntl_hf.plots.landscape import NAMES, draw_landscape, landscape
from ntl_hf.settings.losses import LOSSES

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

# Of certainty of j with i true; 0.0001 on each other digit moves them a little.
FORMS = {
    "ce": lambda i, j: 0 if i == j else math.log(1e4),
    "was": lambda i, j: abs(i - j),
    "mae": lambda i, j: abs(i - j),
    "crps": lambda i, j: abs(i - j),
    "mse": lambda i, j: (i - j) ** 2,
    "huber": lambda i, j: max(abs(i - j) - 0.5, 0),
}


@pytest.mark.parametrize("true", [0, 4, 9])
def test_closed_forms(true):
    found = landscape(tuple(FORMS), true)
    for name, form in FORMS.items():
        assert found[name] == pytest.approx([form(true, j) for j in range(10)], abs=0.1), name


@pytest.mark.parametrize("true", [0, 4, 9])
def test_squashed_distances(true):
    """The furthest digit costs twice the nearest wrong one, and the truth nothing."""
    [values] = landscape(["squashed"], true).values()
    wrong = [value for digit, value in enumerate(values) if digit != true]
    assert values[true] == pytest.approx(0, abs=0.01)
    reach = max(true, 9 - true) - 1
    assert max(wrong) / min(wrong) == pytest.approx(1 + reach / 8, abs=0.01)


def test_every_loss_has_its_least_at_the_truth():
    for name, values in landscape(NAMES, 4).items():
        assert min(values) == values[4] and len(values) == 10, name


def test_every_loss_of_the_package_is_known():
    assert set(LOSSES) <= set(NAMES)


@pytest.mark.parametrize(
    ("names", "true", "message"),
    [
        (["ce"], 10, "10 is no digit"),
        (["ce"], -1, "-1 is no digit"),
        (["wos"], 4, "'wos' is no loss. Did you mean 'was'"),
    ],
)
def test_refused(names, true, message):
    with pytest.raises(ValueError, match=message):
        landscape(names, true)


def test_losses_that_coincide_share_a_line():
    panel = draw_landscape(("ce", "was", "mae", "mse"), 4).axes[0]
    labels = [line.get_label() for line in panel.lines if not line.get_label().startswith("_")]
    assert labels == ["ce (at most 9.2)", "was, mae (at most 5)", "mse (at most 25)"]
    heights = {line.get_label(): list(line.get_ydata()) for line in panel.lines}
    assert heights["was, mae (at most 5)"] == pytest.approx([abs(j - 4) / 5 for j in range(10)], abs=0.01)
