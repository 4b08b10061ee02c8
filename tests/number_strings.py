"""Random numbers and sentences with numbers, of words that the small SentencePiece tokenizer knows."""

import random

WORDS = ("the", "a", "train", "leaves", "at", "and", "costs", "apples", "with", "of", "in", "number", "price")


def integer(rng: random.Random, most_digits: int = 25) -> str:
    """Leading zeros included."""
    return "".join(rng.choices("0123456789", k=rng.randint(1, most_digits)))


def number(rng: random.Random, before: int = 25, after: int = 15) -> str:
    """With or without a sign and decimals; at most so many digits before and after the point."""
    decimals = rng.choice(["", "." + integer(rng, after)])
    whole = integer(rng, before)
    return rng.choice(["", "", "-"]) + ("" if decimals and rng.random() < 0.1 else whole) + decimals


def sentence(rng: random.Random, numbers: list[str]) -> str:
    """Words and the numbers, some of which touch the words before them."""
    parts = [text for each in numbers for text in (rng.choice(WORDS), rng.choice([" ", " ", " ", ""]) + each, " ")]
    return ("".join(parts) + rng.choice(WORDS)).strip() if rng.random() < 0.8 else numbers[0]
