"""Number logits and label log-probs out of a forward pass."""

from .from_logits import can_write_over, head_from_logits, log_normalizers, number_logits_of

__all__ = ["can_write_over", "head_from_logits", "log_normalizers", "number_logits_of"]
