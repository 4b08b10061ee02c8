"""Other systems for numbers in language models, to compare the Number Token Loss with; loaded on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..trainers.model_systems import register_systems

if TYPE_CHECKING:
    from ..tokens.placed_digits import NumberTokens
    from .adapted import register_for
    from .collate import NumberCollator
    from .regression_head.encode import RegressionEncoder
    from .regression_head.model import load_regression_head, predict
    from .regression_transformer.model import load_regression_transformer
    from .regression_transformer.tokenizer import regression_transformer_tokenizer
    from .regression_transformer.vocab import place_value_vocab
    from .scaling import NumberScaling
    from .trainer import NumberHeadTrainer
    from .xval.decode import write_numbers
    from .xval.encode import XValEncoder
    from .xval.generate import generate_with_numbers
    from .xval.model import load_xval
    from .xval.tokenizer import xval_tokenizer

_MODULE_OF = {
    "NumberCollator": "collate",
    "NumberHeadTrainer": "trainer",
    "NumberScaling": "scaling",
    "NumberTokens": ".tokens.placed_digits",
    "RegressionEncoder": "regression_head.encode",
    "XValEncoder": "xval.encode",
    "generate_with_numbers": "xval.generate",
    "load_regression_head": "regression_head.model",
    "load_regression_transformer": "regression_transformer.model",
    "load_xval": "xval.model",
    "place_value_vocab": "regression_transformer.vocab",
    "predict": "regression_head.model",
    "register_for": "adapted",
    "regression_transformer_tokenizer": "regression_transformer.tokenizer",
    "write_numbers": "xval.decode",
    "xval_tokenizer": "xval.tokenizer",
}

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
register_systems(lambda: import_module(".registration", __name__).SYSTEMS)


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
