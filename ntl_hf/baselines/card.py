"""The section of a model card that says which system a model is."""

from pathlib import Path
from typing import Any

_HEADING = "## Number system"
_ABOUT = {
    "xval": (
        "xVal ([Golkar et al. 2023](https://arxiv.org/abs/2310.02989)): every number is the token `[NUM]`, scaled by "
        "its value, and a second head predicts values. Trained with cross entropy and squared error, with `ntl_hf`:"
    ),
    "regression_head": (
        "A regression head: the sequence classifier of transformers with one output, which is the scaled number. "
        "Trained with squared error, with `ntl_hf`:"
    ),
}
_SETTINGS = ("number_scaling", "number_weight", "num_token_id")


def add_system_section(path: Path, system: str, config: Any) -> None:
    """Say at the end of a model card which system the model is, and with which settings.

    Args:
        path: of the card.
        system: "xval" or "regression_head".
        config: of the model.
    """
    rows = "\n".join(f"| `{name}` | {getattr(config, name)} |" for name in _SETTINGS if hasattr(config, name))
    card = path.read_text(encoding="utf-8").partition(_HEADING)[0].rstrip()
    section = f"{_HEADING}\n\n{_ABOUT[system]}\n\n| setting | value |\n|---|---|\n{rows}\n"
    path.write_text(f"{card}\n\n{section}", encoding="utf-8")
