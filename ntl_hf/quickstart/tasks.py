"""The two generated tasks, and the best that any model can do on them."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from typing import TYPE_CHECKING

from .scores import score

if TYPE_CHECKING:
    from datasets import Dataset

WIDTH = 3  # digits of an answer
LARGEST = 10**WIDTH - 1
TOKENS_PER_ANSWER = WIDTH + 1  # the digits and the end token, one token each
NOISE_SD = 15.0
# Means closer to 0 or 999 than this are not drawn, so that clipping the noise changes nothing (1 reading in 30,000 at
# the very ends) and the best answer stays the mean.
MARGIN = math.ceil(4 * NOISE_SD)


@dataclass(frozen=True)
class Task:
    """Prompts of one width, each with a whole number from 0 to 999 as its answer.

    Args:
        name: key in the results.
        title: what a reader sees.
        draw: a random prompt and its noise-free answer.
        noise_sd: standard deviation of the Gaussian noise that is added to the answer, in units of the answer.
    """

    name: str
    title: str
    draw: Callable[[Random], tuple[str, int]]
    noise_sd: float = 0.0


def draw_reading(random: Random) -> tuple[str, int]:
    """`23+07*4=` and 51, for means that leave room for the noise on both sides."""
    while True:
        a, b, c = random.randrange(100), random.randrange(100), random.randrange(10)
        mean = a + b * c
        if MARGIN <= mean <= LARGEST - MARGIN:
            return f"{a:02d}+{b:02d}*{c}=", mean


def draw_arithmetic(random: Random) -> tuple[str, int]:
    """`23+07=` and 30, `23-07=` and 16, or `23*07=` and 161; the second factor of a product has one digit."""
    a, b = random.randrange(100), random.randrange(100)
    match random.choice("+-*"):
        case "+":
            return f"{a:02d}+{b:02d}=", a + b
        case "-":
            a, b = max(a, b), min(a, b)
            return f"{a:02d}-{b:02d}=", a - b
        case _:
            return f"{a:02d}*{b % 10:02d}=", a * (b % 10)


TASKS = (
    Task("readings", f"Readings with noise of standard deviation {NOISE_SD:g}", draw_reading, NOISE_SD),
    Task("arithmetic", "Exact arithmetic", draw_arithmetic),
)


def make_rows(task: Task, size: int, seed: int, exclude: Collection[str] = ()) -> "Dataset":
    """Generate one split.

    Args:
        task: what to draw.
        size: number of rows.
        seed: equal seeds give equal rows.
        exclude: prompts that must not occur, those of the test set.

    Returns:
        A data set with the columns `prompt` and `completion` (text), `value` (the completion as a number) and `mean`
        (the answer before the noise).
    """
    from datasets import Dataset

    random = Random(f"{task.name}/{seed}")
    exclude = set(exclude)
    rows: list[dict[str, str | int]] = []
    while len(rows) < size:
        prompt, mean = task.draw(random)
        if prompt in exclude:
            continue
        noise = random.gauss(0.0, task.noise_sd) if task.noise_sd else 0.0
        value = min(LARGEST, max(0, round(mean + noise)))
        rows.append({"prompt": prompt, "completion": f"{value:0{WIDTH}d}", "value": value, "mean": mean})
    return Dataset.from_list(rows)


def best_possible(task: Task, values: list[int], means: list[int]) -> dict[str, float]:
    """Scores of a model that knows the noise-free answer and the noise, on the given rows.

    It answers the mean, which is the median and the mode of the readings too, so that no answer has a smaller expected
    error; by luck, one may on a given test set. Its cross entropy is that of the rounded Gaussian, in nats a token.
    """
    cross_entropy = sum(_surprise(v - m, task.noise_sd) for v, m in zip(values, means, strict=True)) / len(values)
    return {
        **score([f"{mean:0{WIDTH}d}" for mean in means], values),
        "ce": cross_entropy / TOKENS_PER_ANSWER,
        "number_mass": 1.0,
    }


def _surprise(error: int, noise_sd: float) -> float:
    """-log of the probability that the rounded noise is `error`."""
    if not noise_sd:
        return 0.0 if error == 0 else math.inf
    noise = NormalDist(0.0, noise_sd)
    # By symmetry on the left side, where the difference of two small numbers keeps its digits.
    return -math.log(noise.cdf(-abs(error) + 0.5) - noise.cdf(-abs(error) - 0.5))
