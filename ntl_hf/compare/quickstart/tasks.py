"""The two generated tasks, and the best that any model can do on them."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

from datasets import Dataset

from ...data.calculations import draw_calculation
from ...data.generated import RoundedGaussian
from ...data.readings import LARGEST, NOISE_SD, WIDTH, draw_reading, write_reading
from .scores import score

TOKENS_PER_ANSWER = WIDTH + 1  # the digits and the end token, one token each


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


TASKS = (
    Task("readings", f"Readings with noise of standard deviation {NOISE_SD:g}", draw_reading, NOISE_SD),
    Task("arithmetic", "Exact arithmetic", draw_calculation),
)


def make_rows(task: Task, size: int, seed: int, exclude: Collection[str] = ()) -> Dataset:
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
    random = Random(f"{task.name}/{seed}")
    noise = RoundedGaussian(task.noise_sd, 0, LARGEST)
    exclude = set(exclude)
    rows: list[dict[str, str | int]] = []
    while len(rows) < size:
        prompt, mean = task.draw(random)
        if prompt in exclude:
            continue
        value = noise.draw(random, mean)
        rows.append({"prompt": prompt, "completion": write_reading(value), "value": value, "mean": mean})
    return Dataset.from_list(rows)


def best_possible(task: Task, values: list[int], means: list[int]) -> dict[str, float]:
    """Scores of a model that knows the noise-free answer and the noise, on the given rows.

    It answers the mean, which is the median and the mode of the readings too, so that no answer has a smaller expected
    error; by luck, one may on a given test set. Its cross entropy is that of the rounded Gaussian, in nats a token.
    """
    cross_entropy = sum(_surprise(v - m, task.noise_sd) for v, m in zip(values, means, strict=True)) / len(values)
    return {
        **score([write_reading(mean) for mean in means], values),
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
