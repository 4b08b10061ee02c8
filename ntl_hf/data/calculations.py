"""Exact calculations, generated: sums, differences and products in one width, and products of up to six digits."""

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

from datasets import Dataset, Features, Value

from .generated import generate, is_held_out
from .readings import write_reading
from .sets import NUMERIC_FEATURES, question_and_answer

ROWS = {"train": 50_000, "interpolate": 5_000, "extrapolate": 5_000, "test": 5_000}
# Where both numbers are as large as this, or a factor of one digit is as large as the other, no training split goes.
_LARGE, _LARGE_DIGIT = 70, 7

PRODUCT_ROWS = {"train": 100_000, "test": 10_000}
MAX_DIGITS = 6  # of a factor
PRODUCT_FEATURES = Features({**NUMERIC_FEATURES, "digits_left": Value("int64"), "digits_right": Value("int64")})


def make_calculations(split: str = "train", seed: int = 0, max_rows: int | None = None) -> Dataset:
    """Generate a split as columns `prompt` (`23+07=`, `23-07=` or `23*07=`), `completion` (`030`) and `target`.

    Two numbers of up to two digits, of which the second has one in a product; answers have three digits.

    Args:
        split: "train" (50,000 rows); "interpolate" (5,000, no problem of which is in a training split, whatever the
            seeds, also not with the numbers exchanged), "extrapolate" (5,000, where both numbers are 70 or more, of a
            product 70 and 7 or more, which no calculation in training has) or "test", which is interpolate.
        seed: of all chance; the same seed makes the same rows, and the first rows of a longer set.
        max_rows: make no more.

    Raises:
        ValueError: unknown split, or `max_rows` below 1.
    """
    return generate("Calculations", ROWS, _calculations, split, seed, max_rows)


def make_multiplication(split: str = "train", seed: int = 0, max_rows: int | None = None) -> Dataset:
    """Generate a split as columns `prompt` ("Question: What is 12 * 345?\\nAnswer:"), `completion` and `target`.

    All 36 pairs of digit counts take turns, so that each has as many rows; within one, factors are uniform. Pairs of
    short factors are few, and come several times. No pair of factors of the test split is in a training split,
    whatever the seeds, also not with the factors exchanged.

    Args:
        split: "train" (100,000 rows) or "test" (10,000).
        seed: of all chance; the same seed makes the same rows, and the first rows of a longer set.
        max_rows: make no more.

    Returns:
        The columns `digits_left` and `digits_right` tell the digits of the factors.

    Raises:
        ValueError: unknown split, or `max_rows` below 1.
    """
    return generate("Multiplication", PRODUCT_ROWS, _products, split, seed, max_rows, PRODUCT_FEATURES)


def draw_calculation(rng: random.Random) -> tuple[str, int]:
    """`23+07=` and 30, `23-07=` and 16, or `23*07=` and 161; the second factor of a product has one digit."""
    a, b = rng.randrange(100), rng.randrange(100)
    match rng.choice("+-*"):
        case "+":
            return f"{a:02d}+{b:02d}=", a + b
        case "-":
            a, b = max(a, b), min(a, b)
            return f"{a:02d}-{b:02d}=", a - b
        case _:
            return f"{a:02d}*{b % 10:02d}=", a * (b % 10)


def _calculations(split: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        prompt, value = draw_calculation(rng)
        if _split_of(prompt) == split:
            yield {"prompt": prompt, "completion": write_reading(value), "target": float(value)}


def _split_of(prompt: str) -> str:
    left, operation, right = int(prompt[:2]), prompt[2], int(prompt[3:5])
    if left >= _LARGE and right >= (_LARGE_DIGIT if operation == "*" else _LARGE):
        return "extrapolate"
    # `23+07` and `07+23` are one problem; of a difference, the larger number is always first.
    return "interpolate" if is_held_out(f"{operation} {min(left, right)} {max(left, right)}") else "train"


def _products(split: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        for digits in product(range(1, MAX_DIGITS + 1), repeat=2):
            left, right = _factors(rng, digits)
            while is_held_out(f"{min(left, right)} {max(left, right)}") != (split == "test"):
                left, right = _factors(rng, digits)
            yield {
                **question_and_answer(f"What is {left} * {right}?", str(left * right)),
                "target": float(left * right),
                "digits_left": digits[0],
                "digits_right": digits[1],
            }


def _factors(rng: random.Random, digits: tuple[int, ...]) -> tuple[int, ...]:
    # 0 has one digit, as 1 to 9 have.
    return tuple(rng.randrange(10 ** (count - 1) if count > 1 else 0, 10**count) for count in digits)
