"""Where numbers stand in token ids: their signs, points, separators, digits and decimal places."""

from .layout import NumberLayout
from .syntax import NumberSyntax

__all__ = ["NumberLayout", "NumberSyntax"]
