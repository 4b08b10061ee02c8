"""Number-aware decoding: the number with the least expected error under the model, instead of the greedy digits."""

from ..settings.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
