"""The head in one pass: CE, NTL and their gradients from hidden states, without the logits."""

from .function import one_pass
from .plan import HeadPlan, NumberLossFunction

__all__ = ["HeadPlan", "NumberLossFunction", "one_pass"]
