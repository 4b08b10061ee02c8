"""Names of models: a local folder, or else a model of the hub."""

from pathlib import Path

from .tiny_models import how_to_make

# No owner of the hub can be called so: pages of its own are there.
_NO_OWNER = "models/"


def check_model_name(name: str) -> None:
    """Raise `FileNotFoundError` for what can only be a local folder, and is not there; the hub is not asked."""
    if not _is_hub_id(name) and not Path(name).exists():
        command = how_to_make(name)
        hint = f" It is made by: {command}" if command else ""
        raise FileNotFoundError(f"there is no folder '{name}'.{hint}")


def loading_error(name: str, error: OSError) -> OSError:
    """What a loader says, with the name: without a network, transformers does not say what it was looking for."""
    where = ": " if Path(name).is_dir() else ". There is no such folder here; from the hub: "
    return OSError(f"{name} cannot be loaded{where}{error}")


def _is_hub_id(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith((".", "/", "~", _NO_OWNER)) and not name.endswith("/")
