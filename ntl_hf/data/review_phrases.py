"""The words of generated reviews, and what each is worth."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Aspect:
    """Something that a review judges.

    Args:
        weight: of its grade in the score of the review.
        nouns: what it is called; they mean the same.
        words: adjectives of this aspect alone, with their grades from -4 to 4.
    """

    weight: int
    nouns: tuple[str, ...]
    words: dict[str, int]


ASPECTS = {
    "food": Aspect(
        3,
        ("food", "dinner"),
        {"burnt": -4, "bland": -2, "filling": 1, "fresh": 2, "tasty": 3, "delicious": 4},
    ),
    "service": Aspect(
        2,
        ("service", "staff"),
        {"rude": -4, "slow": -2, "patient": 1, "quick": 2, "friendly": 3},
    ),
    "room": Aspect(
        2,
        ("room", "bedroom"),
        {"dirty": -4, "cramped": -2, "dark": -1, "bright": 1, "clean": 2, "spacious": 3},
    ),
    "price": Aspect(
        1,
        ("price", "bill"),
        {"outrageous": -4, "high": -2, "fair": 1, "reasonable": 2, "cheap": 3},
    ),
    "location": Aspect(
        1,
        ("location", "area"),
        {"dangerous": -4, "ugly": -3, "dull": -1, "central": 2, "safe": 2, "charming": 3},
    ),
}
# Of every aspect.
COMMON = {
    "terrible": -4,
    "bad": -3,
    "disappointing": -2,
    "mediocre": -1,
    "fine": 1,
    "good": 2,
    "great": 3,
    "excellent": 4,
    "perfect": 4,
}
# What stands before an adjective, and the factor on its grade; a denied one says less than its opposite.
DEGREES = {
    "": 1.0,
    "slightly": 0.5,
    "very": 1.3,
    "extremely": 1.6,
    "not": -0.6,
    "not very": -0.4,
}
FORMS = (
    "The {noun} was {judgement}.",
    "{Noun}: {judgement}.",
)
# They say nothing about the score.
REMARKS = (
    "We stayed for a week.",
    "It was our first visit.",
    "It rained all day.",
    "We came with friends.",
    "We booked online.",
)
