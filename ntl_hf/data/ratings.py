"""Ratings: short reviews with a score from 0 to 10, generated, so that the best possible prediction is known."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from datasets import Dataset

from .generated import NOISY_FEATURES, RoundedGaussian, generate, is_held_out
from .sets import question_and_answer

ROWS = {"train": 20_000, "test": 2_000}
NOISE = RoundedGaussian(1.0, 0, 10)
_FEWEST, _MOST = 2, 4  # aspects of a review
_NEUTRAL, _STEP = 5.0, 1.2  # the score of a review of grade 0, and what a grade adds
_REMARKED = 0.3  # share of the reviews that begin with a remark
# Reviewers are mostly pleased: the share of praise in a review is drawn from this beta distribution, of mean 0.6.
_PRAISE = (1.2, 0.8)


@dataclass(frozen=True)
class Aspect:
    """Something that a review judges.

    Args:
        weight: of its grade in the score of the review.
        nouns: what it is called; they mean the same.
        words: adjectives of this aspect alone, with their grades from -4 to 4.
    """

    weight: int
    nouns: list[str]
    words: dict[str, int]


_WORDING = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
ASPECTS = {name: Aspect(**each) for name, each in _WORDING["aspects"].items()}
COMMON, DEGREES, FORMS, REMARKS = (_WORDING[name] for name in ("common", "degrees", "forms", "remarks"))


@dataclass(frozen=True)
class Judgement:
    """One statement of a review: of which aspect, how much, and what."""

    aspect: str
    degree: str
    adjective: str

    @property
    def grade(self) -> float:
        """About -6 to 6; 0 is neither good nor bad."""
        return DEGREES[self.degree] * _words(self.aspect)[self.adjective]


def make_ratings(split: str = "train", seed: int = 0, max_rows: int | None = None) -> Dataset:
    """Generate a split as columns `prompt` ("Question: the review\\nAnswer:"), `completion` (its score) and `target`.

    A review judges two to four of food, service, room, price and location ("The food was not very good."). Its score
    is a whole number from 0 to 10: `noise_free_score` plus Gaussian noise of standard deviation 1, rounded, clipped.
    No review of the test split makes the statements of one in a training split, in any order, whatever the seeds.

    Args:
        split: "train" (20,000 rows) or "test" (2,000).
        seed: of all chance; the same seed makes the same rows, and the first rows of a longer set.
        max_rows: make no more.

    Returns:
        The column `mean` is the score before the noise, for `best_scores(ratings.NOISE, means)`.

    Raises:
        ValueError: unknown split, or `max_rows` below 1.
    """
    return generate("Ratings", ROWS, _rows, split, seed, max_rows, NOISY_FEATURES)


def noise_free_score(judgements: Sequence[Judgement]) -> float:
    """5 and 1.2 times the mean grade, where food counts three times, service and room twice."""
    weights = [ASPECTS[each.aspect].weight for each in judgements]
    total = sum(weight * each.grade for weight, each in zip(weights, judgements, strict=True))
    return _NEUTRAL + _STEP * total / sum(weights)


def _rows(split: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        judgements = _draw(rng)
        if _is_for_testing(judgements) != (split == "test"):
            continue
        mean = noise_free_score(judgements)
        score = NOISE.draw(rng, mean)
        yield {**question_and_answer(_write(rng, judgements), str(score)), "target": float(score), "mean": mean}


def _draw(rng: random.Random) -> list[Judgement]:
    praise = rng.betavariate(*_PRAISE)
    aspects = rng.sample(list(ASPECTS), rng.randint(_FEWEST, _MOST))
    return [_judge(rng, aspect, is_praise=rng.random() < praise) for aspect in aspects]


def _judge(rng: random.Random, aspect: str, is_praise: bool) -> Judgement:
    while True:
        judgement = Judgement(aspect, rng.choice(list(DEGREES)), rng.choice(list(_words(aspect))))
        if (judgement.grade > 0) == is_praise:
            return judgement


def _words(aspect: str) -> dict[str, int]:
    return {**COMMON, **ASPECTS[aspect].words}


def _is_for_testing(judgements: Sequence[Judgement]) -> bool:
    return is_held_out(str(sorted((each.aspect, each.degree, each.adjective) for each in judgements)))


def _write(rng: random.Random, judgements: Sequence[Judgement]) -> str:
    remark = [rng.choice(REMARKS)] if rng.random() < _REMARKED else []
    return " ".join([*remark, *(_sentence(rng, each) for each in judgements)])


def _sentence(rng: random.Random, judgement: Judgement) -> str:
    noun = rng.choice(ASPECTS[judgement.aspect].nouns)
    text = f"{judgement.degree} {judgement.adjective}".strip()
    return rng.choice(FORMS).format(noun=noun, Noun=noun.capitalize(), judgement=text)
