"""The two generated tasks, the scores of answers to them, and the best that any model can do on them."""

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, median
from typing import Any

from datasets import Dataset

from ...data.calculations import draw_calculation
from ...data.generated import RoundedGaussian
from ...data.readings import LARGEST, NOISE, NOISE_SD, WIDTH, draw_reading, write_reading

TOKENS_PER_ANSWER = WIDTH + 1  # the digits and the end token, one token each
TEST_SEED = -1  # one test set for all seeds, so that they are scored against the same best possible
NO_NOISE = RoundedGaussian(0.0, 0, LARGEST)
# The tasks write their answers with three digits, 0 to 999. `42` for `042` can be read all the same; four digits are a
# number that had not ended.
_READABLE = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True)
class Task:
    """Prompts of one width, each with a whole number from 0 to 999 as its answer.

    Args:
        name: key in the results.
        title: what a reader sees.
        draw: a random prompt and its noise-free answer.
        noise: what is added to the answer.
    """

    name: str
    title: str
    draw: Callable[[Random], tuple[str, int]]
    noise: RoundedGaussian = NO_NOISE


TASKS = (
    Task("readings", f"Readings with noise of standard deviation {NOISE_SD:g}", draw_reading, NOISE),
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
    exclude = set(exclude)
    rows: list[dict[str, str | int]] = []
    while len(rows) < size:
        prompt, mean = task.draw(random)
        if prompt in exclude:
            continue
        value = task.noise.draw(random, mean)
        rows.append({"prompt": prompt, "completion": write_reading(value), "value": value, "mean": mean})
    return Dataset.from_list(rows)


def score(answers: Sequence[str], values: Sequence[int]) -> dict[str, float]:
    """Exact match (a fraction), MAE, median absolute error, R2, and the fraction of unreadable answers.

    An answer is unreadable unless it is a number of one to three digits. To leave it out would reward a model for
    breaking down where it is unsure, so it is charged the largest error possible: the distance from the true value to
    the further of 0 and 999.
    """
    readable = [_READABLE.fullmatch(answer) is not None for answer in answers]
    errors = [
        abs(int(answer) - value) if is_readable else max(value, LARGEST - value)
        for answer, value, is_readable in zip(answers, values, readable, strict=True)
    ]
    center = fmean(values)
    variation = sum((value - center) ** 2 for value in values)
    return {
        "exact_match": fmean(error == 0 for error in errors),
        "mae": fmean(errors),
        "median_ae": float(median(errors)),
        "r2": 1 - sum(error**2 for error in errors) / variation if variation else float("nan"),
        "unreadable": fmean(not each for each in readable),
    }


def best_possible(task: Task, values: list[int], means: list[int]) -> dict[str, float]:
    """Scores of a model that knows the noise-free answer and the noise, on the given rows.

    It answers the mean, which is the median and the mode of the readings too, so that no answer has a smaller expected
    error; by luck, one may on a given test set. Its cross entropy is that of the rounded Gaussian, in nats a token.
    """
    nats = 0.0
    if task.noise.sd:
        nats = -fmean(math.log(task.noise.probabilities(m)[v]) for v, m in zip(values, means, strict=True))
    return {
        **score([write_reading(mean) for mean in means], values),
        "ce": nats / TOKENS_PER_ANSWER,
        "number_mass": 1.0,
    }


def describe(task: Task, test_rows: int, curve_rows: int) -> dict[str, Any]:
    """A task in the results: its title, its noise, and the best that can be reached on its test and curve rows."""
    test = make_rows(task, test_rows, TEST_SEED)
    curve = test.select(range(curve_rows))
    return {
        "name": task.name,
        "title": task.title,
        "noise_sd": task.noise.sd,
        "best_possible": best_possible(task, test["value"], test["mean"]),
        "best_ce_on_curve_rows": best_possible(task, curve["value"], curve["mean"])["ce"],
    }
