"""The estimates minimise the expected error; reading, merging and what cannot be read."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.decoding import NumberDistribution

CANDIDATES = st.lists(st.tuples(st.integers(-50, 50), st.floats(0.01, 10)), min_size=1, max_size=8)


def make(pairs):
    return NumberDistribution.from_texts([str(number) for number, _ in pairs], [math.log(w) for _, w in pairs])


def expected(pairs, guess, loss):
    return sum(weight * loss(guess - number) for number, weight in pairs) / sum(weight for _, weight in pairs)


@given(CANDIDATES)
def test_no_number_of_a_fine_grid_has_a_smaller_expected_error(pairs):
    own = make(pairs)
    grid = np.linspace(-51, 51, 1021)
    for risk, loss in (("absolute", abs), ("squared", np.square)):
        least = min(expected(pairs, guess, loss) for guess in grid)
        assert expected(pairs, own.predict(risk).value, loss) <= least + 1e-9
    shares = {number: expected(pairs, number, lambda x: float(x != 0)) for number, _ in pairs}
    assert shares[own.predict("zero_one").value] == pytest.approx(min(shares.values()))


@given(CANDIDATES)
def test_snapped_no_candidate_has_a_smaller_expected_error(pairs):
    own = make(pairs)
    for risk, loss in (("absolute", abs), ("squared", np.square)):
        value = own.predict(risk, snap=True).value
        assert value in {number for number, _ in pairs}
        assert expected(pairs, value, loss) <= min(expected(pairs, number, loss) for number, _ in pairs) + 1e-9


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=9))
def test_equal_weights_give_numpys_lower_median_and_mean(numbers):
    own = NumberDistribution.from_texts([str(number) for number in numbers])
    assert own.predict("absolute").value == np.quantile(numbers, 0.5, method="inverted_cdf")
    assert own.predict("squared").value == pytest.approx(np.mean(numbers), abs=1e-9)
    assert sum(own.weights) == pytest.approx(1) and list(own.values) == sorted(set(numbers))


def test_ties_go_to_the_lower_number():
    own = NumberDistribution.from_texts(["4", "1", "4", "1"])
    assert own.predict("absolute").value == own.predict("zero_one").value == 1
    assert own.predict("squared").value == 2.5 and own.predict("squared", snap=True).value == 1


def test_answers_are_read_as_everywhere_and_the_rest_is_counted():
    texts = ["a #### 1,250", "b #### $1250.", "c #### -3\nQuestion", "no mark 7", "d #### 3-5"]
    own = NumberDistribution.from_texts(texts, answer_mark="####")
    assert own.values == (-3, 1250) and own.weights == pytest.approx((1 / 3, 2 / 3)) and own.unreadable == 0.4
    assert own.predict("absolute").text in ("1,250", "$1250.")
    assert own.predict("squared").text == "832.333333333333"


def test_the_text_is_the_likeliest_that_states_the_number():
    logs = [math.log(0.1), math.log(0.3), math.log(0.2)]
    own = NumberDistribution.from_texts(["07", "7.0", "7"], logs, log_total=0.0)
    assert own.texts == ("7.0",) and own.weights == pytest.approx((1,)) and own.unreadable == pytest.approx(0.4)


@pytest.mark.parametrize("texts", [["none", "3-5"], []])
def test_nothing_readable(texts):
    own = NumberDistribution.from_texts(texts)
    assert (own.values, own.weights, own.texts, own.unreadable) == ((), (), (), 1)
    prediction = own.predict("squared", snap=True)
    assert prediction.value is None and prediction.text is None and prediction.distribution is own


def test_weights_too_small_for_a_float_and_weights_of_zero():
    own = NumberDistribution.from_texts(["1", "2", "3"], [-2000, -2000 + math.log(3), -math.inf], log_total=0.0)
    assert own.values == (1, 2) and own.weights == pytest.approx((0.25, 0.75)) and own.unreadable == 1
    assert own.predict("squared").value == pytest.approx(1.75)


def test_zero_has_no_sign():
    assert NumberDistribution.from_texts(["-0", "0"]).values == (0.0,)


def test_an_unknown_risk():
    with pytest.raises(ValueError, match=r"`risk` is 'median'; it must be one of: absolute, squared, zero_one"):
        make([(1, 1)]).predict("median")
