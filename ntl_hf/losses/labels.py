"""Labels at the positions that predict them."""

from torch import Tensor
from torch.nn import functional as F

from .head_output import IGNORE_INDEX


def shift_labels(labels: Tensor) -> Tensor:
    """Labels moved so that position t holds the label that it predicts: `[..., T]`, -100 at the end."""
    return F.pad(labels, (0, 1), value=IGNORE_INDEX)[..., 1:]


def follow_virtual_tokens(labels: Tensor) -> Tensor:
    """Labels `[..., T]` with the position before the text, which predicts the first of them: `[..., T + 1]`."""
    return F.pad(labels, (0, 1), value=IGNORE_INDEX)


def align_labels(labels: Tensor, length: int, shift: bool) -> Tensor:
    """Labels `[B, T]` for `length` >= T positions: `[B, length]`.

    Prompt-learning adapters put virtual tokens before the text. They have no labels; with `shift`, the last of them
    predicts the first label, as in peft.
    """
    labels = F.pad(labels, (length - labels.shape[1], 0), value=IGNORE_INDEX)
    return shift_labels(labels) if shift else labels
