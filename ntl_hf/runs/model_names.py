"""Names of models: a local folder, or else a model of the hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..settings.config import FILE_NAME
from ..settings.errors import did_you_mean
from ..trainers.checkpoints import STATE

# The small models of the recipes: their names for `tiny_models`, and the folders in which the recipes look for them.
FOLDERS = {"decoder": "models/tiny-decoder", "t5": "models/t5-tiny", "t5-ratings": "models/t5-tiny-ratings"}
# No owner of the hub can be called so: pages of its own are there.
_NO_OWNER = "models/"
# What a run of ours leaves in its folder and in its checkpoints; models from the hub may lie in folders as well.
_RUN_FILES = (STATE, FILE_NAME)


def command(name: str) -> str:
    """What to type for the model of that name, one of `FOLDERS`."""
    return f"python -m ntl_hf.runs.tiny_models {name} {FOLDERS[name]}"


def check_model_name(name: str) -> None:
    """Raise `FileNotFoundError` for what can only be a local folder, and is not there; the hub is not asked."""
    path = Path(name)
    if not path.exists() and (not _is_hub_id(name) or _is_beside_a_run(path)):
        makers = [command(each) for each, folder in FOLDERS.items() if Path(folder) == path]
        there = map(str, path.parent.iterdir()) if path.parent.is_dir() else ()
        hint = f" It is made by: {makers[0]}" if makers else did_you_mean(name, there)
        raise FileNotFoundError(f"there is no folder '{name}'.{hint}")


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Check the name, and put it before what a loader says: without a network, transformers does not say it.

    Raises:
        OSError: there is no such model.
    """
    check_model_name(name)
    try:
        yield
    except OSError as error:
        where = ": " if Path(name).is_dir() else ". There is no such folder here; from the hub: "
        raise OSError(f"{name} cannot be loaded{where}{error}") from error


def _is_beside_a_run(path: Path) -> bool:
    """Whether a path that is not there is in the folder of a run, or beside one: a checkpoint, or a run, mistyped."""
    parent = path.parent
    if parent == Path() or not parent.is_dir():
        return False
    folders = [parent, *(each for each in parent.iterdir() if each.is_dir())]
    return any((folder / mark).is_file() for folder in folders for mark in _RUN_FILES)


def _is_hub_id(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith((".", "/", "~", _NO_OWNER)) and not name.endswith("/")
