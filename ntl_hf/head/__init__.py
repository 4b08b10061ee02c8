"""Number logits and label log-probs out of a forward pass."""

from .from_logits import can_write_over, head_from_logits, log_normalizers, number_logits_of
from .labels import align_labels, follow_virtual_tokens, shift_labels
from .output import IGNORE_INDEX, HeadOutput

__all__ = [
    "IGNORE_INDEX",
    "HeadOutput",
    "align_labels",
    "can_write_over",
    "follow_virtual_tokens",
    "head_from_logits",
    "log_normalizers",
    "number_logits_of",
    "shift_labels",
]
