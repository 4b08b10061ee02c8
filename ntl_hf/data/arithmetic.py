"""Sums and differences of several integers, generated in the form of DeepMind's `arithmetic__add_sub_multiple`."""

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from datasets import Dataset

from .generated import generate, is_held_out
from .sets import question_and_answer

ROWS_PER_LEVEL, TEST_ROWS = 33_333, 10_000
ROWS = {"train": 3 * ROWS_PER_LEVEL, "interpolate": TEST_ROWS, "extrapolate": TEST_ROWS, "test": TEST_ROWS}
_Range = tuple[float, float]
# How a part must be written inside another.
_NUMBER, _SUM, _DIFFERENCE = range(3)
_PHRASES = ("{}", "What is {}?", "Evaluate {}.", "Calculate {}.", "What is the value of {}?")


@dataclass(frozen=True)
class Scale:
    """How large the problems are.

    Attributes:
        levels: of training, as ranges of difficulty: the number of random decimal digits in a question.
        interpolation, extrapolation: difficulty of the two tests.
        fewest_operations: of training and interpolation; there are as many more as the difficulty allows.
        extrapolation_operations: fewest and most.
        value_share: how much of the difficulty is the answer's.
    """

    levels: tuple[_Range, ...]
    interpolation: _Range
    extrapolation: _Range
    fewest_operations: int
    extrapolation_operations: tuple[int, int]
    value_share: float = 0.25


SCALES = {
    # The form of DeepMind's module: easy, medium and hard are the thirds of the range. Interpolation asks at one
    # difficulty inside it, extrapolation above it and with more operations than any training question (3 to 6).
    "full": Scale(
        levels=((3.0, 3.0 + 7 / 3), (3.0 + 7 / 3, 3.0 + 14 / 3), (3.0 + 14 / 3, 10.0)),
        interpolation=(8.0, 8.0),
        extrapolation=(10.0, 12.0),
        fewest_operations=3,
        extrapolation_operations=(9, 11),
    ),
    # What a small model learns in minutes: one operation on numbers of up to two digits; extrapolation has two, on
    # numbers of up to three.
    "small": Scale(
        levels=((3.0, 4.0),),
        interpolation=(3.0, 4.0),
        extrapolation=(4.0, 5.0),
        fewest_operations=1,
        extrapolation_operations=(2, 2),
        value_share=0.5,
    ),
}


def make_arithmetic(split: str = "train", seed: int = 0, max_rows: int | None = None, scale: str = "full") -> Dataset:
    """Generate a split as columns `prompt` ("Question: ...\\nAnswer:"), `completion` and `target`.

    Args:
        split: "train" (99,999 rows, the three levels of difficulty in turn), "interpolate" (10,000, no expression of
            which any training set has, whatever its seed), "extrapolate" (10,000, with more terms and more digits) or
            "test", which is interpolate.
        seed: of all chance; the same seed makes the same rows, and the first rows of a longer set.
        max_rows: make no more.
        scale: "full" (DeepMind's module) or "small" (one operation, one level of difficulty), see `SCALES`.

    Raises:
        ValueError: unknown split or scale, or `max_rows` below 1.
    """
    if scale not in SCALES:
        raise ValueError(f"`scale` must be one of {', '.join(SCALES)}, not '{scale}'.")
    return generate("Arithmetic", ROWS, partial(_rows, SCALES[scale]), split, seed, max_rows)


def _rows(scale: Scale, split: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    tests = {"interpolate": (scale.interpolation,), "extrapolate": (scale.extrapolation,)}
    operations = scale.extrapolation_operations if split == "extrapolate" else None
    while True:
        for level in tests.get(split, scale.levels):
            value, expression = _draw(rng, level, operations, scale)
            # Longer ones cannot be in the training set.
            while split != "extrapolate" and _is_held_out(expression, value) != (split == "interpolate"):
                value, expression = _draw(rng, level, operations, scale)
            question = rng.choice(_PHRASES).format(expression)
            yield {**question_and_answer(question, str(value)), "target": float(value)}


def _draw(rng: random.Random, level: _Range, operations: tuple[int, int] | None, scale: Scale) -> tuple[int, str]:
    """A value and an expression of it."""
    digits = rng.uniform(*level)
    value = random_integer(rng, digits * scale.value_share)
    rest = digits * (1 - scale.value_share)
    fewest, most = operations or (scale.fewest_operations, scale.fewest_operations + int(rest / 2))
    count = rng.randint(fewest, most)
    if operations is None:
        rest -= math.log10(most - fewest + 1)  # drawn with the number of operations
    # Many trees of operations write the same expression: terms grow with their number, a Catalan number.
    rest += math.log10(math.comb(2 * count, count) // (count + 1))
    return value, random_expression(rng, value, count, rest)


def _is_held_out(expression: str, value: int) -> bool:
    """Decided by the numbers and the value: `7 - -11`, `11 + 7` and `7 + 11` are one problem."""
    return is_held_out(f"{sorted(re.findall('[0-9]+', expression))} {value}")


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
