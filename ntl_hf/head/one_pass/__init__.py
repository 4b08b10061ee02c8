"""The head in one pass: CE, NTL and their gradients from hidden states, without the logits."""

from .block import HeadPlan, NumberLossFunction
from .function import one_pass, register_plan
from .run import product_dtype

__all__ = ["HeadPlan", "NumberLossFunction", "one_pass", "product_dtype", "register_plan"]
