"""The scaling of numbers: worked values, the inverse, ends of float32, and what is refused."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.systems.scaling import KINDS, NumberScaling

LARGEST = torch.finfo(torch.float32).max
floats = st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)


def test_worked_values():
    x = torch.tensor([0.0, 9.0, -99.0, 999.0])
    assert NumberScaling().scale(x).tolist() == x.tolist()
    torch.testing.assert_close(NumberScaling("range", 999).scale(x), x * 5 / 999)
    torch.testing.assert_close(NumberScaling("signed_log").scale(x), torch.tensor([0.0, 1.0, -2.0, 3.0]))


@pytest.mark.parametrize("kind", KINDS)
@given(values=st.lists(floats, min_size=1), largest=st.floats(1e-30, 1e30))
def test_unscale_is_the_inverse(kind, values, largest):
    scaling = NumberScaling(kind, largest)
    wanted = torch.tensor(values, dtype=torch.float64)
    scaled = scaling.scale(wanted)
    inside = scaled.isfinite()  # a range may be too small for what it is given
    found = scaling.unscale(scaled)
    assert scaled.dtype == found.dtype == torch.float32
    # The logarithm of 1e30 has an absolute error of 1e-6, of which the number itself has a relative one.
    tolerance = 1e-4 if kind == "signed_log" else 1e-6
    # Of a range that is much too large, float32 has few digits left, or none.
    kept = inside & (wanted.abs() > 1e-30 * max(largest, 1)) if kind == "range" else wanted.abs() > 1e-30
    torch.testing.assert_close(found[kept].double(), wanted[kept], rtol=tolerance, atol=0)


@given(st.floats(-10000, 10000, width=32, allow_subnormal=False).filter(lambda x: abs(x) > 1e-30))
def test_the_logarithm_is_exact_for_everyday_numbers(x):
    scaling = NumberScaling("signed_log")
    assert float(scaling.unscale(scaling.scale(torch.tensor(x)))) == pytest.approx(x, rel=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_finite_at_zero(kind):
    x = torch.zeros(3, requires_grad=True)
    NumberScaling(kind).unscale(NumberScaling(kind).scale(x)).sum().backward()
    assert x.grad.isfinite().all()


def test_what_is_beyond_float32_becomes_its_largest():
    assert NumberScaling("signed_log").unscale(torch.tensor([40.0, -1e9])).tolist() == [LARGEST, -LARGEST]
    assert NumberScaling("range", 1e38).unscale(torch.tensor([1e3, -1e3])).tolist() == [LARGEST, -LARGEST]
    assert NumberScaling().unscale(torch.tensor([torch.inf])).tolist() == [LARGEST]
    for kind in KINDS:
        assert NumberScaling(kind, LARGEST).scale(torch.tensor([LARGEST, -LARGEST])).isfinite().all()


def test_bfloat16_is_scaled_in_float32():
    x = torch.tensor([300.0], dtype=torch.bfloat16)
    assert float(NumberScaling("signed_log").scale(x)) == pytest.approx(math.log10(301), rel=1e-6)


@pytest.mark.parametrize("scaling", [NumberScaling(), NumberScaling("range", 12.5), NumberScaling("signed_log")])
def test_settings_come_back_through_json(scaling):
    assert NumberScaling.from_dict(json.loads(json.dumps(scaling.to_dict()))) == scaling


def test_fit_finds_the_largest_size():
    assert NumberScaling.fit("range", iter([1, -8.5, 3])) == NumberScaling("range", 8.5)
    assert NumberScaling.fit("signed_log", [1, 2]) == NumberScaling("signed_log")
    assert float(NumberScaling.fit("range", [1, -8]).scale(torch.tensor(-8.0))) == -5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "no numbers"),
        ([0.0, -0.0], "All numbers are 0"),
        ([1, math.inf], "not finite"),
        ([math.nan], "not finite"),
    ],
)
def test_what_has_no_range_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        NumberScaling.fit("range", values)


def test_wrong_settings_are_refused():
    for make in (
        NumberScaling,
        lambda kind: NumberScaling.fit(kind, [1.0]),
        lambda k: NumberScaling.from_dict({"kind": k}),
    ):
        with pytest.raises(ValueError, match="must be one of none, range, signed_log, not 'log'"):
            make("log")
    for largest in (0, -1, math.inf, math.nan, 1e39, 1e-46, 10**400, True, "5", None):
        with pytest.raises(ValueError, match="positive number within float32"):
            NumberScaling("range", largest)
    for settings in (None, ["range", 5], "range"):
        with pytest.raises(ValueError, match="it must have `kind` and `largest`"):
            NumberScaling.from_dict(settings)
    with pytest.raises(ValueError, match=r"no settings \['size'\]"):
        NumberScaling.from_dict({"kind": "none", "size": 1})
