"""Products of two integers of 1 to 6 digits, generated."""

import random
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

from datasets import Dataset, Features, Value

from .generated import count_rows, is_held_out
from .question import question_and_answer
from .schema import NUMERIC_FEATURES, to_dataset

ROWS = {"train": 100_000, "test": 10_000}
SPLITS = tuple(ROWS)
MAX_DIGITS = 6
FEATURES = Features({**NUMERIC_FEATURES, "digits_left": Value("int64"), "digits_right": Value("int64")})


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
    rows = count_rows(split, ROWS, "Multiplication", max_rows)
    return to_dataset(islice(_rows(split, seed), rows), FEATURES)


def _rows(split: str, seed: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(f"multiplication {split} {seed}")
    while True:
        for left_digits, right_digits in product(range(1, MAX_DIGITS + 1), repeat=2):
            left, right = _draw(rng, left_digits, right_digits)
            while _is_held_out(left, right) != (split == "test"):
                left, right = _draw(rng, left_digits, right_digits)
            yield {
                **question_and_answer(f"What is {left} * {right}?", str(left * right)),
                "target": float(left * right),
                "digits_left": left_digits,
                "digits_right": right_digits,
            }


def _draw(rng: random.Random, *digits: int) -> tuple[int, ...]:
    # 0 has one digit, as 1 to 9 have.
    return tuple(rng.randrange(10 ** (count - 1) if count > 1 else 0, 10**count) for count in digits)


def _is_held_out(left: int, right: int) -> bool:
    return is_held_out(f"{min(left, right)} {max(left, right)}")
