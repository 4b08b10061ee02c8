"""Cases in which every pair of values of two parameters is met, where all combinations would be too many to train."""

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Any

import pytest

Case = tuple[int, ...]
Pair = tuple[int, int, int, int]


def pairwise(*values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """A covering array of strength two: cases that together hold every pair of values of two parameters.

    The choice is greedy: always the combination with the most pairs that are new, the first one of equals, so that a
    run of the tests has the same cases every time.

    Args:
        values: those of each parameter; at least two parameters.
    """
    left = list(product(*(range(len(each)) for each in values)))
    missing = {pair for case in left for pair in _pairs(case)}
    cases: list[Case] = []
    while missing:
        best = max(left, key=lambda case: len(missing & _pairs(case)))
        missing -= _pairs(best)
        cases.append(best)
    return [tuple(each[i] for each, i in zip(values, case, strict=True)) for case in sorted(cases)]


def _pairs(case: Case) -> set[Pair]:
    """Which values of which two parameters meet in a case."""
    return {(a, b, case[a], case[b]) for a, b in combinations(range(len(case)), 2)}


def parametrize_pairwise(**values: Iterable[Any]) -> pytest.MarkDecorator:
    """`pytest.mark.parametrize` by the names of the parameters, with `pairwise` cases."""
    return pytest.mark.parametrize(",".join(values), pairwise(*map(list, values.values())))
