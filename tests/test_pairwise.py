"""The covering arrays of tests/pairwise.py."""

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from tests.pairwise import pairwise

SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=5)


@given(SIZES)
def test_every_pair_is_met(sizes: list[int]) -> None:
    parameters = [[f"{name}{i}" for i in range(size)] for name, size in zip("abcde", sizes, strict=False)]
    met = {pair for case in pairwise(*parameters) for pair in combinations(case, 2)}
    assert met == {pair for a, b in combinations(parameters, 2) for pair in product(a, b)}


@given(SIZES)
def test_cases_differ_and_are_those_of_the_parameters(sizes: list[int]) -> None:
    cases = pairwise(*map(range, sizes))
    assert len(set(cases)) == len(cases) and set(cases) <= set(product(*map(range, sizes)))
    assert cases == sorted(cases) == pairwise(*map(range, sizes))


def test_the_cases_are_few() -> None:
    """No fewer than the product of the two largest parameters will do, and the greedy choice is near that."""
    assert len(pairwise("ab", "cd")) == 4
    assert len(pairwise("ab", "cd", "ef")) == 4
    assert len(pairwise("abc", "def", "gh", "ij")) <= 11
    assert len(pairwise(*[range(2)] * 7)) <= 10
