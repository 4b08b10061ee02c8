"""Generated readings and ratings: what their texts say, their noise, and the best possible scores on them."""

import math
import random
import re
from functools import cache
from statistics import fmean, median, pstdev

import pytest

from examples.best_scores import best_scores
from ntl_hf.data import (
    make_ratings,
    make_readings,
    ratings,
    readings,
)
from ntl_hf.data.number_text import answer_number
from ntl_hf.data.ratings import ASPECTS, COMMON, DEGREES, REMARKS, Judgement, noise_free_score

# Tests share rows: to make a whole set takes seconds.
make_readings, make_ratings = cache(make_readings), cache(make_ratings)
TASKS = {"readings": (make_readings, readings), "ratings": (make_ratings, ratings)}
by_task = pytest.mark.parametrize("task", TASKS)

FORM = re.compile(r"(?:The (\w+) was|(\w+):) ([a-z ]+)\.")
ASPECT_OF = {noun: name for name, aspect in ASPECTS.items() for noun in aspect.nouns}


def review(row):
    return row["prompt"].removeprefix("Question: ").removesuffix("\nAnswer:")


def statements(row):
    """What a review says, read back: pairs of aspect and the words about it."""
    text = review(row)
    for remark in REMARKS:
        text = text.removeprefix(f"{remark} ")
    found = [re.fullmatch(FORM, sentence) for sentence in re.findall(r"[^.]+\.", text.replace(". ", "."))]
    return [(ASPECT_OF[(a or b).lower()], words) for a, b, words in (match.groups() for match in found)]


def problem(task, row):
    return row["prompt"] if task == "readings" else frozenset(statements(row))


# ---- Their texts ----


@by_task
def test_completions_read_as_their_target(task):
    make, module = TASKS[task]
    for row in make("train", max_rows=2000):
        assert answer_number(row["completion"]) == row["target"]
        assert module.NOISE.lowest <= row["target"] <= module.NOISE.highest


def test_readings_state_the_noise_free_value_in_one_width():
    for row in make_readings("train", max_rows=2000):
        assert re.fullmatch(r"\d\d\+\d\d\*\d=", row["prompt"]) and re.fullmatch(r"\d{3}", row["completion"])
        assert eval(re.sub(r"\b0+(?=\d)", "", row["prompt"].rstrip("="))) == row["mean"]
        # Four standard deviations of room on both sides.
        assert 60 <= row["mean"] <= 939


def test_a_rating_by_hand():
    judgements = [Judgement("food", "not very", "good"), Judgement("service", "extremely", "slow")]
    assert [each.grade for each in judgements] == pytest.approx([-0.4 * 2, 1.6 * -2])
    assert noise_free_score(judgements) == pytest.approx(5 + 1.2 * (3 * -0.8 + 2 * -3.2) / 5)
    assert noise_free_score([Judgement("price", "", "fair")]) == pytest.approx(5 + 1.2)


def test_a_review_states_its_noise_free_score():
    for row in make_ratings("train", max_rows=2000):
        total = weights = 0.0
        for aspect, words in statements(row):
            degree, _, adjective = words.rpartition(" ")
            grade = {**COMMON, **ASPECTS[aspect].words}[adjective]
            total += ASPECTS[aspect].weight * DEGREES[degree] * grade
            weights += ASPECTS[aspect].weight
        assert row["mean"] == pytest.approx(5 + 1.2 * total / weights)
        assert 2 <= len({aspect for aspect, _ in statements(row)}) == len(statements(row)) <= 4
        assert not re.search("[0-9]", row["prompt"]), "the only digits are the score's"


def test_all_scores_occur_and_not_alike():
    scores = make_ratings("train")["target"]
    shares = [scores.count(score) / len(scores) for score in range(11)]
    assert min(shares) > 0.01 and max(shares) > 4 * min(shares)
    assert shares[6] + shares[7] + shares[8] > 1.2 * (shares[2] + shares[3] + shares[4])


def test_words_mean_one_thing():
    assert len(ASPECT_OF) == sum(len(aspect.nouns) for aspect in ASPECTS.values())
    for aspect in ASPECTS.values():
        assert not set(aspect.words) & set(COMMON)


# ---- Splits ----


@by_task
def test_whole_splits_share_nothing(task):
    make, module = TASKS[task]
    train, test = make("train"), make("test")
    assert {"train": len(train), "test": len(test)} == module.ROWS
    asked = {problem(task, row) for row in test}
    for rows in (train, make("train", 1, 5000), make("train", 2, 5000)):
        assert asked.isdisjoint(problem(task, row) for row in rows)


# ---- Noise ----


@by_task
def test_the_noise_is_gaussian_and_knows_nothing_of_the_row(task):
    make, module = TASKS[task]
    noise, rows = module.NOISE, make("train", 3, 20_000)
    pairs = list(zip(rows["target"], rows["mean"], strict=True))
    # Where clipping changes nothing.
    room = 3 * noise.sd if task == "ratings" else 0
    free = [(t - m, m) for t, m in pairs if noise.lowest + room <= m <= noise.highest - room]
    errors, count = [error for error, _ in free], len(free)
    sd = math.sqrt(noise.sd**2 + 1 / 12)  # with rounding
    assert count > 4000
    assert abs(fmean(errors)) < 5 * sd / math.sqrt(count)
    assert abs(pstdev(errors) - sd) < 5 * sd / math.sqrt(2 * count)
    # No slope over the noise-free value.
    center = fmean(mean for _, mean in free)
    product = fmean(error * (mean - center) for error, mean in free)
    assert abs(product) < 5 * sd * pstdev([mean for _, mean in free]) / math.sqrt(count)


# ---- The best possible ----


@by_task
def test_best_possible_scores_are_those_of_the_noise_free_value(task):
    make, module = TASKS[task]
    rows = make("train", 3, 20_000)
    best = best_scores(module.NOISE, rows["mean"])
    answers = [min(module.NOISE.highest, max(module.NOISE.lowest, round(mean))) for mean in rows["mean"]]
    errors = [abs(answer - target) for answer, target in zip(answers, rows["target"], strict=True)]
    assert fmean(errors) == pytest.approx(best["mae"], abs=5 * pstdev(errors) / math.sqrt(len(errors)))
    hits = fmean(error == 0 for error in errors)
    assert hits == pytest.approx(best["number_accuracy"], abs=5 * math.sqrt(best["number_accuracy"] / len(errors)))
    middle = median(rows["target"])
    assert best["mae"] < fmean(abs(middle - target) for target in rows["target"]) / 2


def test_best_possible_scores_of_readings_are_those_of_the_gaussian():
    best = best_scores(readings.NOISE, make_readings("test")["mean"])
    assert best["mae"] == pytest.approx(15 * math.sqrt(2 / math.pi), rel=1e-3)
    assert best["rmse"] == pytest.approx(math.sqrt(15**2 + 1 / 12), rel=1e-3)
    assert best["nats"] == pytest.approx(math.log(15 * math.sqrt(2 * math.pi * math.e)), rel=1e-3)


@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_no_shifted_rating_beats_the_best_possible(shift):
    rows, rng = make_ratings("test"), random.Random(0)
    best = best_scores(ratings.NOISE, rows["mean"])
    drawn = [(mean, ratings.NOISE.draw(rng, mean)) for mean in rows["mean"] for _ in range(5)]
    assert fmean(abs(round(mean + shift) - number) for mean, number in drawn) > best["mae"] + 0.1
