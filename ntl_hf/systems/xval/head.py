"""`NumberHead`: a number out of a hidden state."""

import torch
from torch import Tensor, nn


class NumberHead(nn.Module):
    """Two linear layers with a GELU between them, `[..., width]` -> `[...]`, in float32.

    As in the authors' code (github.com/PolymathicAI/xVal), but for the width in the middle, which there is that of the
    feed-forward layers, and here that of the model.

    Args:
        width: of the hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.middle = nn.Linear(width, width, dtype=torch.float32)
        self.last = nn.Linear(width, 1, dtype=torch.float32)

    def forward(self, hidden: Tensor) -> Tensor:
        # Rounded to bfloat16, a prediction would have two or three digits.
        with torch.autocast(hidden.device.type, enabled=False):
            middle = nn.functional.gelu(self.middle(hidden.to(self.middle.weight.dtype)))
            result: Tensor = self.last(middle)
        return result.squeeze(-1)
