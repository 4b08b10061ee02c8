"""Readings: a small expression, and its value with the noise of an instrument; generated."""

import math
import random
from collections.abc import Iterator
from typing import Any

from datasets import Dataset

from .generated import NOISY_FEATURES, RoundedGaussian, generate, is_held_out

ROWS = {"train": 50_000, "test": 5_000}
WIDTH = 3  # digits of a reading
LARGEST = 10**WIDTH - 1
NOISE_SD = 15.0
NOISE = RoundedGaussian(NOISE_SD, 0, LARGEST)
# Means closer to 0 or 999 than this are not drawn, so that clipping the noise changes nothing (1 reading in 30,000 at
# the very ends) and the best answer stays the mean.
MARGIN = math.ceil(4 * NOISE_SD)


def make_readings(split: str = "train", seed: int = 0, max_rows: int | None = None) -> Dataset:
    """Generate a split as columns `prompt` (`23+17*4=`), `completion` (`087`, always three digits) and `target`.

    The expression is worth 60 to 939, and the reading is that plus Gaussian noise of standard deviation 15, rounded.
    No prompt of the test split is in a training split, whatever the seeds.

    Args:
        split: "train" (50,000 rows) or "test" (5,000).
        seed: of all chance; the same seed makes the same rows, and the first rows of a longer set.
        max_rows: make no more.

    Returns:
        The column `mean` is the value before the noise, for `best_scores(readings.NOISE, means)`.

    Raises:
        ValueError: unknown split, or `max_rows` below 1.
    """
    return generate("Readings", ROWS, _rows, split, seed, max_rows, NOISY_FEATURES)


def draw_reading(rng: random.Random) -> tuple[str, int]:
    """`23+17*4=` and 91, for means that leave room for the noise on both sides."""
    while True:
        a, b, c = rng.randrange(100), rng.randrange(100), rng.randrange(10)
        mean = a + b * c
        if MARGIN <= mean <= LARGEST - MARGIN:
            return f"{a:02d}+{b:02d}*{c}=", mean


def write_reading(number: int) -> str:
    """`065`: every reading has the same width."""
    return f"{number:0{WIDTH}d}"


def _rows(split: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        prompt, mean = draw_reading(rng)
        if is_held_out(prompt) == (split == "test"):
            number = NOISE.draw(rng, mean)
            yield {"prompt": prompt, "completion": write_reading(number), "target": float(number), "mean": float(mean)}
