"""Calculations: exact sums, differences and products in one width, generated."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

from datasets import Dataset

from .generated import count_rows, is_held_out
from .readings import write_reading
from .schema import to_dataset

ROWS = {"train": 50_000, "interpolate": 5_000, "extrapolate": 5_000, "test": 5_000}
SPLITS = tuple(ROWS)
# Where both numbers are as large as this, or a factor of one digit is as large as the other, no training split goes.
_LARGE, _LARGE_DIGIT = 70, 7


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
    rows = count_rows(split, ROWS, "Calculations", max_rows)
    return to_dataset(islice(_rows("interpolate" if split == "test" else split, seed), rows))


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


def _rows(split: str, seed: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(f"calculations {split} {seed}")
    while True:
        prompt, value = draw_calculation(rng)
        while _split_of(prompt) != split:
            prompt, value = draw_calculation(rng)
        yield {"prompt": prompt, "completion": write_reading(value), "target": float(value)}


def _split_of(prompt: str) -> str:
    left, operation, right = int(prompt[:2]), prompt[2], int(prompt[3:5])
    if left >= _LARGE and right >= (_LARGE_DIGIT if operation == "*" else _LARGE):
        return "extrapolate"
    # `23+07` and `07+23` are one problem; of a difference, the larger number is always first.
    problem = f"{operation} {min(left, right)} {max(left, right)}"
    return "interpolate" if is_held_out(problem) else "train"
