"""`--config`: a file or the name of a recipe that comes with the package, for all commands that read recipes."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..settings.errors import UsageError
from ..settings.recipe_files import CONFIG, command_of, display_name, find_recipe, split_flags
from ..settings.recipe_reader import read_recipe

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
    """Errors about a recipe say where it is at fault, and call one of ours by its name.

    Args:
        command: the command that runs.
        words: its words, from `with_recipe_path`.
    """
    try:
        yield
    except UsageError as error:
        position = _position(words)
        if position is None:
            raise
        path = words[position]
        message = _located(str(error), path, words)
        if (own := command_of(Path(path))) is None:
            raise UsageError(message) from error
        name = display_name(Path(path))
        is_said = own in _READS[command] or f"ntl-hf {own}" in message
        hint = "" if is_said else f" {name} is a recipe for `ntl-hf {own}`."
        raise UsageError(message.replace(path, name) + hint) from error


def _located(message: str, path: str, words: Sequence[str]) -> str:
    """An error about a setting, with the file and the line at which the recipe sets it, unless it was typed."""
    setting = re.search(r"`(\w+)`", message)
    if setting is None or path in message or f"--{setting[1]}" in split_flags(words):
        return message
    with suppress(UsageError):
        recipe = read_recipe(path)
        return f"{recipe.where(setting[1])}: {message}" if setting[1] in recipe else message
    return message  # it came through a pipe


def _position(words: Sequence[str]) -> int | None:
    """Where the recipe is named; None if it is not."""
    position = words.index(CONFIG) + 1 if CONFIG in words else len(words)
    return position if position < len(words) and not words[position].startswith("--") else None
