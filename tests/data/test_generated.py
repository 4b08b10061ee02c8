"""Generated sets: right answers of exact ones, the same rows for a seed, splits that share nothing."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.data import (
    make_arithmetic,
    make_calculations,
    make_multiplication,
    make_ratings,
    make_readings,
)
from ntl_hf.data.arithmetic import SCALES, random_expression

MAKERS = {
    "arithmetic": make_arithmetic,
    "multiplication": make_multiplication,
    "calculations": make_calculations,
    "readings": make_readings,
    "ratings": make_ratings,
}
PHRASE = re.compile(r"Question: (?:What is the value of |What is |Evaluate |Calculate )?([-+* ()0-9]+)[.?]?\nAnswer:")
EXACT = [("arithmetic", "train"), ("arithmetic", "interpolate"), ("arithmetic", "extrapolate")]
EXACT += [("multiplication", "train"), ("multiplication", "test")]
SPLITS = EXACT + [("calculations", split) for split in ("train", "interpolate", "extrapolate")]
SPLITS += [(task, split) for task in ("readings", "ratings") for split in ("train", "test")]


def expression(row):
    return PHRASE.fullmatch(row["prompt"]).group(1)


def problem(row):
    """The same for `7 - -11`, `11 + 7` and `7 + 11`."""
    return tuple(sorted(numbers(row))), row["target"]


def numbers(row):
    return [int(text) for text in re.findall("[0-9]+", expression(row))]


@given(
    seed=st.integers(),
    value=st.integers(-(10**9), 10**9),
    operations=st.integers(0, 12),
    digits=st.floats(0, 15),
)
def test_an_expression_is_worth_its_value(seed, value, operations, digits):
    text = random_expression(random.Random(seed), value, operations, digits)
    assert eval(text) == value
    assert len(re.findall("[0-9]+", text)) == operations + 1
    assert re.fullmatch(r"[-+ ()0-9]+", text)


@pytest.mark.parametrize(("task", "split"), EXACT)
@pytest.mark.parametrize("seed", [0, 7])
def test_answers_are_what_python_says(task, split, seed):
    rows = MAKERS[task](split, seed, max_rows=3000)
    assert len(rows) == 3000
    for row in rows:
        assert float(eval(expression(row))) == row["target"]
        assert row["completion"] == f" {int(row['target'])}"


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_a_seed_repeats_and_limits_cut(task, split):
    make = MAKERS[task]
    rows = list(make(split, 1, max_rows=500))
    assert rows == list(make(split, 1, max_rows=500))
    assert rows[:100] == list(make(split, 1, max_rows=100))
    assert rows != list(make(split, 2, max_rows=500))


@pytest.mark.slow
def test_whole_splits_of_arithmetic():
    train, near, far = (make_arithmetic(split) for split in ("train", "interpolate", "extrapolate"))
    assert (len(train), len(near), len(far)) == (3 * 33_333, 10_000, 10_000)
    assert near[0] == make_arithmetic("test", max_rows=1)[0]
    seen = {expression(row) for row in train}
    assert not seen & {expression(row) for row in near} and not seen & {expression(row) for row in far}
    # From row to row: easy, medium, hard.
    sizes = [sum(abs(train["target"][i]) for i in range(level, 3000, 3)) for level in range(3)]
    assert sizes[0] < sizes[1] / 2 < sizes[2] / 4
    assert {len(numbers(row)) for row in train} == {4, 5, 6, 7}
    assert {len(numbers(row)) for row in far} == {10, 11, 12}


def test_no_seed_trains_on_what_another_tests():
    for scale in SCALES:
        drawn = (make_arithmetic("train", seed, 3000, scale) for seed in range(3))
        train = {problem(row) for rows in drawn for row in rows}
        assert not train & {problem(row) for row in make_arithmetic("interpolate", 5, 3000, scale)}
    factors = {frozenset(numbers(row)) for seed in range(3) for row in make_multiplication("train", seed, 10_000)}
    assert not factors & {frozenset(numbers(row)) for row in make_multiplication("test", 5)}


def test_digits_of_factors_are_balanced():
    rows = make_multiplication("train", max_rows=3600)
    for row in rows:
        assert [len(str(n)) for n in numbers(row)] == [row["digits_left"], row["digits_right"]]
    counts = {}
    for pair in zip(rows["digits_left"], rows["digits_right"], strict=True):
        counts[pair] = counts.get(pair, 0) + 1
    assert len(counts) == 36 and set(counts.values()) == {100}


@pytest.mark.parametrize("task", MAKERS)
def test_refused(task):
    with pytest.raises(ValueError, match=r"has the splits train, .*, not 'validation'|splits train, test, not"):
        MAKERS[task]("validation")
    with pytest.raises(ValueError, match="`max_rows` must be 1 or more, not 0"):
        MAKERS[task](max_rows=0)


def test_the_small_scale_is_one_operation_and_extrapolates_to_two():
    for split, operations in (("train", 1), ("interpolate", 1), ("extrapolate", 2)):
        for row in make_arithmetic(split, max_rows=500, scale="small"):
            assert len(re.findall("[+-] ", row["prompt"])) == operations, row["prompt"]
            assert eval(expression(row)) == row["target"]


# ---- Calculations in one width ----


def parts(row):
    left, operation, right = re.fullmatch(r"(\d\d)([-+*])(\d\d)=", row["prompt"]).groups()
    return int(left), operation, int(right)


@pytest.mark.parametrize("split", ["train", "interpolate", "extrapolate"])
def test_calculations_are_what_python_says(split):
    results = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
    rows = make_calculations(split, 3)
    for row in rows:
        left, operation, right = parts(row)
        value = results[operation](left, right)
        assert row["completion"] == f"{value:03d}" and row["target"] == value >= 0
        limit = 7 if operation == "*" else 70
        assert (left >= 70 and right >= limit) == (split == "extrapolate")
    assert {parts(row)[1] for row in rows} == set(results)


def test_no_seed_trains_on_a_calculation_that_another_tests():
    train = {(operation, frozenset(rest)) for seed in range(2) for *rest, operation in _reordered("train", seed)}
    for split in ("interpolate", "test", "extrapolate"):
        assert not train & {(operation, frozenset(rest)) for *rest, operation in _reordered(split, 5)}


def _reordered(split, seed):
    return ((left, right, operation) for left, operation, right in map(parts, make_calculations(split, seed)))
