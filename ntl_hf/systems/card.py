"""The section of a model card that says which system a model is."""

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
    "regression_transformer": (
        "A Regression Transformer ([Born and Manica 2023](https://doi.org/10.1038/s42256-023-00639-z)): numbers are "
        "tokens of a digit and its place, whose values are encoded in their embeddings. Made with `ntl_hf`:"
    ),
}
_SETTINGS = ("number_scaling", "number_weight", "num_token_id", "number_encoding", "number_encoding_largest")


def system_section(system: str, config: Any) -> str:
    """The section as Markdown: which system a model is, and with which settings.

    Args:
        system: "xval", "regression_head" or "regression_transformer".
        config: of the model.
    """
    rows = "\n".join(f"| `{name}` | {getattr(config, name)} |" for name in _SETTINGS if hasattr(config, name))
    return f"{_HEADING}\n\n{_ABOUT[system]}\n\n| setting | value |\n|---|---|\n{rows}\n"
