"""Random sums and differences of integers with parentheses, of a value chosen first."""

import math
import random

# How a part must be written inside another.
_NUMBER, _SUM, _DIFFERENCE = range(3)


def random_expression(rng: random.Random, value: int, operations: int, digits: float) -> str:
    """A text such as `-5 + (1 - 3) - -3` that is worth `value`, of `operations` additions and subtractions.

    The way of DeepMind Mathematics: a value is split into a sum or a difference of two, and so on downwards, where
    the random digits are dealt out to the splits by chance. So terms are mostly small, and a few are large.

    Args:
        rng: where chance comes from.
        value: what the expression is worth.
        operations: how many there are, 0 or more.
        digits: about how many random decimal digits the terms have, all splits together.
    """
    return _write(rng, value, operations, digits)[0]


def random_integer(rng: random.Random, digits: float) -> int:
    """An integer around 0, one of about 10**digits."""
    largest = math.ceil(10**digits / 2)
    return rng.randint(-largest, largest)


def _write(rng: random.Random, value: int, operations: int, digits: float) -> tuple[str, int]:
    """The text of `value` after `operations` splits, and what kind of expression it is."""
    if not operations:
        return str(value), _NUMBER
    is_sum = rng.random() < 0.5
    left, right = _split(rng, value, random_integer(rng, digits / operations), is_sum)
    on_left = rng.randrange(operations)
    on_right = operations - 1 - on_left
    rest = digits - digits / operations
    # More operations have more digits, on average in proportion.
    share = rng.betavariate(on_left, on_right) if on_left and on_right else float(on_left > 0)
    first, first_kind = _write(rng, left, on_left, rest * share)
    second, second_kind = _write(rng, right, on_right, rest * (1 - share))
    if is_sum:
        # Sums run on without parentheses, a difference in a sum has them.
        return f"{_part(first, first_kind == _DIFFERENCE)} + {_part(second, second_kind == _DIFFERENCE)}", _SUM
    return f"{first} - {_part(second, second_kind != _NUMBER)}", _DIFFERENCE


def _split(rng: random.Random, value: int, term: int, is_sum: bool) -> tuple[int, int]:
    """Two integers whose sum, or difference, is `value`; `term` is one of them."""
    is_first = rng.random() < 0.5
    if is_sum:
        return (term, value - term) if is_first else (value - term, term)
    return (term, term - value) if is_first else (value + term, term)


def _part(text: str, needs_parentheses: bool) -> str:
    return f"({text})" if needs_parentheses else text
