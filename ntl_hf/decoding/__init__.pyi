from .distribution import NumberDistribution, NumberPrediction
from .formats import number_range
from .predict import NumberDecoder, predict_numbers

__all__ = [
    "NumberDecoder",
    "NumberDistribution",
    "NumberPrediction",
    "number_range",
    "predict_numbers",
]
