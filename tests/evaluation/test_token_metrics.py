"""Teacher-forced metrics: every token weighs the same, whatever example or batch it is in."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.evaluation import score_tokens


def test_by_hand() -> None:
    # 10 tokens with a sum of 3 + 17 = 20 nats: 2 a token; 4 of 10 right. Means of rows would say 2.58 and 0.56.
    got = score_tokens([3.0, 17.0], [1, 9], [1, 3], resamples=0)
    assert got["tokens"].value == 10
    assert got["cross_entropy"].value == pytest.approx(2)
    assert got["perplexity"].value == pytest.approx(math.exp(2))
    assert got["token_accuracy"].value == pytest.approx(0.4)


def test_intervals_end_at_single_rows() -> None:
    # Two rows: a quarter of the resamples is each row alone.
    got = score_tokens([3.0, 16.0], [1, 8], [1, 3])
    assert (got["cross_entropy"].low, got["cross_entropy"].high) == pytest.approx((2, 3))
    assert (got["perplexity"].low, got["perplexity"].high) == pytest.approx((math.exp(2), math.exp(3)))
    assert (got["token_accuracy"].low, got["token_accuracy"].high) == pytest.approx((3 / 8, 1))
    assert got["tokens"].low is None


@given(st.lists(st.tuples(st.integers(0, 64), st.integers(0, 20)), min_size=1, max_size=20))
def test_order_and_empty_examples_change_nothing(rows: list[tuple[int, int]]) -> None:
    def values(each: list[tuple[int, int]]) -> dict[str, float]:
        columns = [nats / 4 for nats, _ in each], [count for _, count in each], [count // 2 for _, count in each]
        return {name: score.value for name, score in score_tokens(*columns, resamples=0).items()}

    rows = [(nats if count else 0, count) for nats, count in rows]
    assert values(rows) == pytest.approx(values([(0, 0), *rows[::-1]]), nan_ok=True)


def test_undefined_is_nan() -> None:
    none = score_tokens([0.0], [0], [0])
    assert math.isnan(none["perplexity"].value)
    assert math.isnan(none["token_accuracy"].value)
    huge = score_tokens([5000.0, 4000.0], [2, 2], [0, 0])
    assert huge["cross_entropy"].value == 2250
    assert math.isnan(huge["perplexity"].value)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="1 cross entropy sums, 2 token counts, 2 right tokens"):
        score_tokens([1.0], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="example 1 has more right tokens than tokens"):
        score_tokens([1.0, 1.0], [1, 1], [1, 2])
