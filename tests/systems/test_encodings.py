"""The number encodings of the Regression Transformer, against values worked by hand and a loop over dimensions."""

import math
from decimal import Decimal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.systems.regression_transformer.model import (
    check_encoding,
    digit_values,
    float_encoding,
    read_number_tokens,
)
from ntl_hf.tokens.placed_digits import NumberTokens

TOKENS = NumberTokens(first_id=100, low=-2, high=3)


def test_values_by_hand():
    # digit 5 at 10^-1, 9 at 10^-2, 0 and 7 at 10^3, the two tokens after the block, and ids of all other kinds
    ids = torch.tensor([[100 + 10 + 5, 100 + 9, 100 + 50, 100 + 57], [160, 161, 99, -100]])
    wanted = torch.tensor([[0.5, 0.09, 0.0, 7000.0], [0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(digit_values(TOKENS, ids), wanted)


@given(st.integers(0, 10**6), st.integers(-37, 0), st.integers(0, 37), st.data())
def test_values_are_digit_times_power_of_ten(first_id, low, high, data):
    tokens = NumberTokens(first_id, low, high)
    digit, place = data.draw(st.integers(0, 9)), data.draw(st.integers(low, high))
    value = digit_values(tokens, torch.tensor(first_id + (place - low) * 10 + digit))
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(Decimal(digit).scaleb(place)), rel=1e-6, abs=0)
    outside = torch.tensor([first_id - 1, first_id + 10 * (high - low + 1), -100])
    assert not digit_values(tokens, outside).any()


def test_encodings_by_hand():
    encoded = float_encoding(torch.tensor([0.5, 0.0]), 6, largest=10)
    wanted = [[0.5, -0.5, 0.5 / 3, -0.5 / 3, 0.1, -0.1], [0.0] * 6]
    torch.testing.assert_close(encoded, torch.tensor(wanted))
    # 99 -> log10(100) = 2 of log10(100) = 2, and 33 in the next pair
    encoded = float_encoding(torch.tensor(99.0), 4, largest=100, is_log=True)
    torch.testing.assert_close(encoded, torch.tensor([10.0, -10.0, 5 * math.log10(34), -5 * math.log10(34)]))


@given(
    st.floats(0, 2.0**40, width=32, allow_subnormal=False),
    st.floats(2, 1e12),
    st.integers(1, 40),
    st.booleans(),
)
def test_encodings_equal_a_loop(value, largest, pairs, log):
    wanted = []
    for j in range(2 * pairs):
        x = (-value if j % 2 else value) / (2 * (j // 2) + 1)
        scaled = math.copysign(math.log1p(abs(x)), x) / math.log(largest) if log else x / largest
        wanted.append(10 * scaled)
    encoded = float_encoding(torch.tensor(value), 2 * pairs, largest, log)
    torch.testing.assert_close(encoded, torch.tensor(wanted), rtol=1e-5, atol=1e-30)
    if value <= largest - 1:
        assert encoded.abs().max() <= 10.001


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("loud", 1.0, 4), "`number_encoding` must be one of float, log, none, not 'loud'"),
        (("float", 0.0, 4), "must be a positive number"),
        (("log", math.inf, 4), "must be a positive number"),
        (("log", math.nan, 4), "must be a positive number"),
        (("log", "3", 4), "'3'; it must be a positive number"),
        (("float", True, 4), "True; it must be a positive number"),
        (("float", 10**400, 4), "must be a positive number"),
        (("log", 10.0, 5), "even width, not 5"),
    ],
)
def test_refused_encodings(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_encoding(*arguments)


def test_log_needs_a_largest_above_one():
    with pytest.raises(ValueError, match="above 1"):
        float_encoding(torch.ones(1), 4, largest=1.0, is_log=True)
    check_encoding("none", 1.0, 5)


@pytest.mark.parametrize(
    "tokens",
    [
        *(None, {}, "tokens", {"first_id": 1, "low": 0}, {"first_id": 1.5, "low": 0, "high": 1}),
        {"first_id": 1, "low": False, "high": True},
    ],
)
def test_incomplete_blocks_are_refused(tokens):
    with pytest.raises(ValueError, match="must have the whole numbers first_id, low, high"):
        read_number_tokens(tokens)


@pytest.mark.parametrize("tokens", [(-1, 0, 0), (1, 1, 2), (1, -3, -1), (1, -38, 0), (1, 0, 38)])
def test_impossible_blocks_are_refused(tokens):
    with pytest.raises(ValueError, match="`low` <= 0 <= `high`"):
        read_number_tokens(NumberTokens(*tokens))
