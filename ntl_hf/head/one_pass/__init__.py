"""The head in one pass: CE, NTL and their gradients from hidden states, without the logits."""

from .compiled import make_known
from .function import one_pass
from .plan import HeadPlan, NumberLossFunction
from .run import product_dtype

__all__ = ["HeadPlan", "NumberLossFunction", "make_known", "one_pass", "product_dtype"]
