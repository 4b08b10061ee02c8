"""The section on the number loss that goes below a model card made by transformers or TRL."""

from dataclasses import asdict
from pathlib import Path

from .config import NTLConfig
from .loss_terms import PAPER_LOSSES

TAGS = ("ntl", "number-token-loss")

_HEADING = "## Number Token Loss"
_PAPER = "[Regress, Don't Guess](https://arxiv.org/abs/2411.02083) (ICML 2025)"
_CITATION = """```bibtex
@inproceedings{zausinger2025regress,
  title = {Regress, Don't Guess: A Regression-like Loss on Number Tokens for Language Models},
  author = {Zausinger, Jonas and others},
  booktitle = {International Conference on Machine Learning},
  year = {2025},
  url = {https://arxiv.org/abs/2411.02083}
}
```"""


def add_section(path: Path, config: NTLConfig) -> None:
    """Add what the model was trained with, and the paper to cite, to the end of a model card."""
    card = path.read_text(encoding="utf-8").partition(_HEADING)[0].rstrip()
    path.write_text(f"{card}\n\n{section(config)}", encoding="utf-8")


def section(config: NTLConfig) -> str:
    """The section as Markdown."""
    rows = "\n".join(f"| `{name}` | {value} |" for name, value in asdict(config).items())
    ce = "Gaussian cross entropy (soft targets for number tokens)" if config.gaussian_sigma > 0 else "cross entropy"
    if config.weight > 0 and config.loss in PAPER_LOSSES:
        told = f"Trained with {ce} + {config.weight:g} * Number Token Loss, see {_PAPER}, with `ntl_hf`:"
    elif config.weight > 0:
        told = f"Trained with {ce} and the number loss `{config.loss}`, after {_PAPER}, with `ntl_hf`:"
    else:
        told = f"Trained with {ce} alone: the weight of the Number Token Loss ({_PAPER}) is 0. With `ntl_hf`:"
    return f"{_HEADING}\n\n{told}\n\n| setting | value |\n|---|---|\n{rows}\n\nCite the loss as:\n\n{_CITATION}\n"
