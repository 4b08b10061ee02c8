"""Number-aware decoding: the number with the least expected error under the model, instead of the greedy digits."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .distribution import NumberDistribution, NumberPrediction
    from .formats import number_range
    from .predict import NumberDecoder, predict_numbers

_MODULE_OF = {
    "NumberDecoder": "predict",
    "NumberDistribution": "distribution",
    "NumberPrediction": "distribution",
    "number_range": "formats",
    "predict_numbers": "predict",
}

__all__ = ["NumberDecoder", "NumberDistribution", "NumberPrediction", "number_range", "predict_numbers"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ntl_hf.decoding' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
