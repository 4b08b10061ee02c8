"""The error of wrong usage, what becomes one, and the hint at a name that was perhaps meant."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class UsageError(ValueError):
    """Wrong usage: an unknown key, a bad value, a folder that must not be overwritten.

    A command turns it into one line and exit code 2, in one process or several.
    """


@contextmanager
def as_usage_error(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of these kinds into a `UsageError` of one line: some of transformers are a page long."""
    try:
        yield
    except kinds as error:
        # Blanks within a line stay: they may be of a path.
        raise UsageError(" ".join(line.strip() for line in str(error).splitlines() if line.strip())) from error


def did_you_mean(name: object, known: Iterable[str], cutoff: float = 0.6, n: int = 1) -> str:
    """The end of an error about an unknown name: `" Did you mean 'max_steps'?"`, or nothing.

    Args:
        name: as it was given, in capitals or not.
        known: the names that there are.
        cutoff: how alike two names must be, 0 to 1, as in `difflib`.
        n: most names in the hint.
    """
    by_lower = {each.lower(): each for each in known}
    return suggest(by_lower[near] for near in get_close_matches(str(name).lower(), by_lower, n, cutoff))


def suggest(names: Iterable[str]) -> str:
    """The same hint with these very names."""
    listed = " or ".join(f"'{name}'" for name in names)
    return f" Did you mean {listed}?" if listed else ""
