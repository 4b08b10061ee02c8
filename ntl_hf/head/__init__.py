"""Number logits and label log-probs out of a forward pass."""

from .from_logits import head_from_logits, log_normalizers
from .labels import align_labels, shift_labels
from .output import IGNORE_INDEX, HeadOutput

__all__ = ["IGNORE_INDEX", "HeadOutput", "align_labels", "head_from_logits", "log_normalizers", "shift_labels"]
