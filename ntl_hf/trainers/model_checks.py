"""Trust, then check: what is assumed about a model is compared with the model itself, once, on the first batch."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..head import head_from_logits
from ..number_vocab import NumberVocab

_POSITIONS = 16
# Relative to 1 + the largest logit: bf16 rounds far below it, a missing scale or cap shows far above it.
_TOLERANCE = 5e-2
_OWN_LOSS_TOLERANCE = 2e-2
# Logits of a batch that the check of the model's own loss may build, 0.5 GB in float32; larger batches go unchecked.
_MOST_LOGITS = 2**27


def check_fused_number_logits(model: nn.Module, inputs: dict[str, Any], vocab: NumberVocab) -> None:
    """Compare the number logits of the fused forward with the model's own, on a few tokens of a batch.

    Raises:
        ValueError: they differ: the model transforms its logits in a way that is not known here.
    """
    if "input_ids" not in inputs or "pixel_values" in inputs:
        return
    ids = inputs["input_ids"][:1, :_POSITIONS]
    with _evaluating(model):
        fused = model(input_ids=ids, labels=ids, fused_lm_head=True).number_logits
        own = model(input_ids=ids, use_cache=False).logits[:, :-1, vocab.ids_on(ids.device)].float()
    difference, size = float((fused - own).abs().max()), float(own.abs().max())
    if difference > (1 + size) * _TOLERANCE:
        raise ValueError(
            f"The number logits made from the hidden states of {_name(model)} differ from its own logits by "
            f"{difference:.3g} (largest logit {size:.3g}): it transforms its logits in a way that the fused head does "
            "not know, so the loss would be wrong. Use `NTLTrainer`, which works on the model's logits."
        )


def warn_about_own_loss(
    model: nn.Module, inputs: dict[str, Any], vocab: NumberVocab, shift: bool, aux_loss_coef: float
) -> None:
    """Warn if the model's own loss is more than cross entropy and the known auxiliary loss: the rest is left out."""
    labels = inputs["labels"]
    if labels.numel() * _vocab_size(model) > _MOST_LOGITS:
        return
    with _evaluating(model):
        outputs = model(**inputs)
        own = outputs.get("loss")
        if own is None or outputs["logits"].shape[:-1] != labels.shape:
            return
        head = head_from_logits(outputs["logits"], labels, vocab, shift=shift)
        known = -head.log_probs.sum() / head.label_mask.sum().clamp(min=1)
        if outputs.get("aux_loss") is not None:
            known = known + aux_loss_coef * outputs["aux_loss"]
    if abs(float(own) - float(known)) > _OWN_LOSS_TOLERANCE * max(1.0, abs(float(own))):
        warnings.warn(
            f"The own loss of {_name(model)} on the first batch is {float(own):.4g}, its cross entropy (with the "
            f"auxiliary loss) {float(known):.4g}: further terms of its own loss are not trained. Add them in a "
            "`compute_loss_func`, or use `NTLSFTTrainer` if TRL supports the model."
        )


def _vocab_size(model: nn.Module) -> int:
    """Number of logits of a model, wrapped or not."""
    return int(_unwrapped(model).config.get_text_config().vocab_size)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Without gradients and dropout; the model is training before and after."""
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train()


def _unwrapped(model: nn.Module) -> Any:
    return getattr(model, "module", model)


def _name(model: nn.Module) -> str:
    inner: Any = _unwrapped(model)
    return type(inner.get_base_model() if hasattr(inner, "get_base_model") else inner).__name__
