"""Pictures of what a model believes and of what a loss charges; they need matplotlib, the extra `plots`."""

from importlib.util import find_spec


def can_plot() -> bool:
    """Whether matplotlib is there; it is not imported."""
    return find_spec("matplotlib") is not None


def check_can_plot(asked_by: str) -> None:
    """Look for matplotlib without importing it, before there is work to lose.

    Args:
        asked_by: the setting or command that wants pictures, for the message.

    Raises:
        ValueError: it is not installed; says how to install it.
    """
    if not can_plot():
        raise ValueError(f"{asked_by} needs matplotlib: pip install 'ntl-hf[plots]'")
