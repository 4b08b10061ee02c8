"""The files of recipes: found by path or by name, `smollm2-135m/gsm8k-lora` for a model and a task."""

from collections.abc import Iterable
from pathlib import Path

from .errors import UsageError, did_you_mean, suggest

# In an installed package, and in a checkout.
_FOLDERS = (Path(__file__).parents[1] / "recipes", Path(__file__).parents[2] / "recipes")
FOLDER = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
CONFIG = "--config"
# Configurations of accelerate, which are no recipes: `--accelerate_config` reads them.
ACCELERATE = FOLDER / "accelerate"
_COMMAND = "# Command: ntl-hf "
_HARDWARE = "# Hardware: "


def recipe_names() -> list[str]:
    """All names, in order."""
    paths = (path for path in FOLDER.glob("*/*.yaml") if path.parent != ACCELERATE)
    return sorted(_named(path) for path in paths)


def find_recipe(name: str) -> Path:
    """The file of a recipe: a path of the user's, which counts more, or a name; both with or without `.yaml`.

    Raises:
        UsageError: there is neither; the message has the nearest names.
    """
    path = file_at(Path(name)) or own_recipe(name)
    if path is not None:
        return path
    if (mode := _mode(name)) is not None:
        raise UsageError(f"{name} is no recipe, but how to start it: add `--accelerate_config {mode}` to a recipe.")
    raise UsageError(f"cannot read the recipe {name}: no such file, and {unknown(name)}")


def split_flags(words: Iterable[str]) -> list[str]:
    """The words of a command line, with `--key=value` as two of them."""
    return [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]


def file_at(path: Path) -> Path | None:
    """A file of the user's, with or without `.yaml`; None if there is none. It may be a pipe."""
    both = (path, path.with_name(f"{path.name}.yaml")) if path.name else (path,)
    return next((each for each in both if each.exists() and not each.is_dir()), None)


def own_recipe(name: str) -> Path | None:
    """The file of that name, with or without `.yaml`, among ours alone; None if there is none."""
    name = name.removesuffix(".yaml")
    return FOLDER / f"{name}.yaml" if name in recipe_names() else None


def unknown(name: str) -> str:
    """The end of an error: that there is no recipe of this name, the nearest names, and how to list them all."""
    name, names = name.removesuffix(".yaml"), recipe_names()
    # Those of a model or a task of this name, else those spelled like it.
    hint = suggest([each for each in names if name in each.split("/")][:5]) or did_you_mean(name, names, n=3)
    return f"no recipe of that name.{hint} `ntl-hf recipes` lists them."


def display_name(path: Path) -> str:
    """A recipe as a command line names it: one of ours by its name, another file by its path."""
    return _named(path) if path.is_relative_to(FOLDER) else str(path)


def command_of(path: Path) -> str | None:
    """The command that one of our recipes is for, such as "sft"; None for other files."""
    return _comment(path, _COMMAND).split()[0] if path.is_relative_to(FOLDER) else None


def hardware_of(path: Path) -> str:
    """What one of our recipes is for: "two CPU cores, 4 GB of memory"."""
    return _comment(path, _HARDWARE).partition(". ")[0]


def _named(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


def _mode(name: str) -> str | None:
    """`zero3` of `accelerate/zero3`, `recipes/accelerate/zero3.yaml` or `zero3`; None for other names."""
    path = Path(name.removesuffix(".yaml"))
    is_one = path.parent.name in ("", ACCELERATE.name) and (ACCELERATE / f"{path.name}.yaml").is_file()
    return path.name if is_one else None


def _comment(path: Path, start: str) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix(start) for line in lines if line.startswith(start))
