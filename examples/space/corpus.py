"""The sentences that the demo's model is trained on: exact arithmetic in words and signs, and reviews with a score."""

import random
from collections.abc import Iterator

from ntl_hf.data import make_calculations, make_ratings

# A calculation is written with signs, or as one of these stories; {a}, {b} and {c} are whole numbers.
STORIES = {
    "+": "Anna has {a} apples and buys {b} more. Now she has {c}.",
    "-": "Of {a} people on the bus, {b} got off. That leaves {c}.",
    "*": "One box holds {a} eggs, so {b} boxes hold {c}.",
}


def sentences(rows: int, seed: int = 0) -> list[str]:
    """So many sentences, a quarter of them reviews, in random order; equal seeds, equal rows."""
    rng = random.Random(f"demo {seed}")
    found = [*_calculations(rng, rows - rows // 4, seed), *_reviews(rows // 4, seed)]
    rng.shuffle(found)
    return found


def _calculations(rng: random.Random, rows: int, seed: int) -> Iterator[str]:
    for row in make_calculations("train", seed=seed, max_rows=rows):
        a, operation, b = row["prompt"][:2], row["prompt"][2], row["prompt"][3:5]
        way = STORIES[operation] if rng.random() < 0.3 else f"{{a}}{operation}{{b}}={{c}}"
        yield way.format(a=int(a), b=int(b), c=int(row["target"]))


def _reviews(rows: int, seed: int) -> Iterator[str]:
    for row in make_ratings("train", seed=seed, max_rows=rows):
        review = row["prompt"].removeprefix("Question: ").removesuffix("\nAnswer:")
        yield f"{review} Score: {int(row['target'])}"
