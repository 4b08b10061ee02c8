"""Names of models: a local folder, or else a model of the hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The small models of the recipes: their names for `tiny_models`, and the folders in which the recipes look for them.
FOLDERS = {"decoder": "models/tiny-decoder", "t5": "models/t5-tiny", "t5-ratings": "models/t5-tiny-ratings"}
# No owner of the hub can be called so: pages of its own are there.
_NO_OWNER = "models/"


def command(name: str) -> str:
    """What to type for the model of that name, one of `FOLDERS`."""
    return f"python -m ntl_hf.runs.tiny_models {name} {FOLDERS[name]}"


def check_model_name(name: str) -> None:
    """Raise `FileNotFoundError` for what can only be a local folder, and is not there; the hub is not asked."""
    if not _is_hub_id(name) and not Path(name).exists():
        makers = [command(each) for each, folder in FOLDERS.items() if Path(folder) == Path(name)]
        hint = f" It is made by: {makers[0]}" if makers else ""
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


def _is_hub_id(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith((".", "/", "~", _NO_OWNER)) and not name.endswith("/")
