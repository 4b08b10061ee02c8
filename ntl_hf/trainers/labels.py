"""The labels of a batch: which logits they are for, and the batch without them."""

from typing import Any

from torch import Tensor

from ..tokens.targets import follow_virtual_tokens, shift_labels
from .lora import has_virtual_positions


def labels_are_aligned(model: Any) -> bool:
    """Whether the logits at t are for the label at t, as in encoder-decoder and masked language models."""
    return model.config.is_encoder_decoder or getattr(model, "loss_type", None) == "ForMaskedLM"


def aligned_labels(model: Any, batch: Any) -> Tensor:
    """Labels at the positions that predict them, `[B, T]`; `[B, T + 1]` where virtual tokens predict the first."""
    if "shift_labels" in batch:
        return batch["shift_labels"]
    if labels_are_aligned(model):
        return batch["labels"]
    return (follow_virtual_tokens if has_virtual_positions(model) else shift_labels)(batch["labels"])


def inputs_without_labels(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """What a model makes logits of, so that it makes no loss of its own; `model` without its wrappers."""
    # `skip_logits` is the Trainer's way to ask Liger's forward for the loss alone.
    rest = {name: value for name, value in inputs.items() if name not in ("labels", "shift_labels", "skip_logits")}
    if not model.config.is_encoder_decoder or {"decoder_input_ids", "decoder_inputs_embeds"} & rest.keys():
        return rest
    prepare = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    if prepare is None:
        # Only the model knows how its decoder starts; its own loss goes unused.
        return inputs
    return {**rest, "decoder_input_ids": prepare(labels=inputs["labels"])}
