"""`--config`: a file or the name of a recipe that comes with the package, for all commands that read recipes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..settings.errors import UsageError
from ..settings.recipe_files import CONFIG, command_of, display_name, find_recipe, split_flags

# The commands whose recipes a command reads.
_READS = {"sft": ("sft",), "train": ("train",), "evaluate": ("sft", "train"), "compare": ("compare",)}


def with_recipe_path(words: Sequence[str]) -> list[str]:
    """The words of a command, `--config=value` as two, with the name of a recipe replaced by the path of its file.

    Raises:
        UsageError: there is no such file, and no recipe of that name.
    """
    words = [part for word in words for part in (split_flags([word]) if word.startswith(f"{CONFIG}=") else [word])]
    position = _position(words)
    if position is not None:
        words[position] = str(find_recipe(words[position]))
    return words


@contextmanager
def recipe_by_name(command: str, words: Sequence[str]) -> Iterator[None]:
    """Errors about one of our recipes call it by its name, and tell if it is for another command.

    Args:
        command: the command that runs.
        words: its words, from `with_recipe_path`.
    """
    try:
        yield
    except UsageError as error:
        position = _position(words)
        if position is None or (own := command_of(Path(words[position]))) is None:
            raise
        name = display_name(Path(words[position]))
        hint = "" if own in _READS[command] else f" {name} is a recipe for `ntl-hf {own}`."
        raise UsageError(str(error).replace(words[position], name) + hint) from error


def _position(words: Sequence[str]) -> int | None:
    """Where the recipe is named; None if it is not."""
    position = words.index(CONFIG) + 1 if CONFIG in words else len(words)
    return position if position < len(words) and not words[position].startswith("--") else None
