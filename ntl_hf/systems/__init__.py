"""Other systems for numbers in language models, to compare the Number Token Loss with; loaded on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..trainers.model_systems import register_systems

if TYPE_CHECKING:
    from ..tokens.placed_digits import NumberTokens
    from .adapted import register_for
    from .number_rows import NumberCollator
    from .regression_head import RegressionEncoder, load_regression_head, predict
    from .regression_transformer.model import load_regression_transformer
    from .regression_transformer.places import place_value_vocab
    from .regression_transformer.tokenizer import regression_transformer_tokenizer
    from .scaling import NumberScaling
    from .trainer import NumberHeadTrainer
    from .xval.generate import generate_with_numbers
    from .xval.model import load_xval
    from .xval.text import XValEncoder, write_numbers, xval_tokenizer

_NAMES_IN = {
    ".tokens.placed_digits": ("NumberTokens",),
    "adapted": ("register_for",),
    "number_rows": ("NumberCollator",),
    "regression_head": ("RegressionEncoder", "load_regression_head", "predict"),
    "regression_transformer.model": ("load_regression_transformer",),
    "regression_transformer.places": ("place_value_vocab",),
    "regression_transformer.tokenizer": ("regression_transformer_tokenizer",),
    "scaling": ("NumberScaling",),
    "trainer": ("NumberHeadTrainer",),
    "xval.generate": ("generate_with_numbers",),
    "xval.model": ("load_xval",),
    "xval.text": ("XValEncoder", "write_numbers", "xval_tokenizer"),
}
_MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names}

__all__ = [
    "NumberCollator",
    "NumberHeadTrainer",
    "NumberScaling",
    "NumberTokens",
    "RegressionEncoder",
    "XValEncoder",
    "generate_with_numbers",
    "load_regression_head",
    "load_regression_transformer",
    "load_xval",
    "place_value_vocab",
    "predict",
    "register_for",
    "regression_transformer_tokenizer",
    "write_numbers",
    "xval_tokenizer",
]

# Also named in the metadata of the package, where those who never import this are found.
register_systems(lambda: import_module(".registration", __name__))


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
