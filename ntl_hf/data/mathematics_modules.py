"""Which modules of DeepMind Mathematics are meant by a name."""

from collections.abc import Sequence

# The modules of the paper (arXiv 2411.02083): trained and tested on the first, 13 with numbers as answers; the second
# are its 7 of larger problems. Names as in DeepMind's own list (arXiv 1904.01557).
PAPER = "paper"
PAPER_MODULES = (
    "algebra__linear_1d",
    "algebra__linear_1d_composed",
    "algebra__linear_2d",
    "algebra__linear_2d_composed",
    "algebra__sequence_next_term",
    "arithmetic__add_or_sub",
    "arithmetic__add_sub_multiple",
    "arithmetic__mul",
    "numbers__div_remainder",
    "numbers__div_remainder_composed",
    "numbers__place_value",
    "numbers__round_number",
    "numbers__round_number_composed",
)
PAPER_EXTRAPOLATION_MODULES = (
    "arithmetic__add_or_sub_big",
    "arithmetic__add_sub_multiple_longer",
    "arithmetic__mixed_longer",
    "arithmetic__mul_big",
    "arithmetic__mul_div_multiple_longer",
    "numbers__place_value_big",
    "numbers__round_number_big",
)


def named_modules(modules: Sequence[str] | None, level: str) -> list[str] | None:
    """`modules` with "paper" replaced by the paper's of this level, each name once; None stays None.

    Args:
        modules: names as given by a user.
        level: a folder of the set: "train-easy", ..., "interpolate" or "extrapolate".

    Raises:
        ValueError: there are none.
    """
    if modules is None:
        return None
    if not modules:
        raise ValueError("`modules` names no modules; leave it out to take all.")
    papers = PAPER_EXTRAPOLATION_MODULES if level == "extrapolate" else PAPER_MODULES
    names = (name for each in modules for name in (papers if each == PAPER else (each,)))
    return list(dict.fromkeys(names))
