"""Trust, then check: what is assumed about a model is compared with the model itself, once, on the first batch."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..head import IGNORE_INDEX, HeadOutput, head_from_logits
from ..head.fused import FusedHead, HeadTask, UnsupportedHeadError
from ..number_vocab import NumberVocab

_POSITIONS = 16
# Relative to 1 + the largest logit: bf16 rounds far below it, a missing scale or cap shows far above it.
_TOLERANCE = 5e-2
_OWN_LOSS_TOLERANCE = 2e-2
# Logits of a batch that the check of the model's own loss may build, 0.5 GB in float32; larger batches go unchecked.
_MOST_LOGITS = 2**27


def disagreement(
    model: nn.Module,
    unwrapped: nn.Module,
    fused_head: FusedHead,
    inputs: dict[str, Any],
    gather: Callable[[Tensor], Tensor],
) -> str | None:
    """Compare the fused head with the model's own logits on a few tokens: None, or what differs and by how much.

    Args:
        model: the model as it is called.
        unwrapped: the same without its wrappers for distributed training.
        fused_head: what is checked.
        inputs: of one row of text, `labels` `[1, T]` included, aligned with the logits.
        gather: collects a scalar from all processes, which have to come to one result.
    """
    inputs = dict(inputs)
    task = HeadTask(labels=inputs.pop("labels"))
    try:
        with _evaluating(model), fused_head.collect(unwrapped, task):
            model(**inputs)
    except UnsupportedHeadError as error:
        return str(error)
    with _evaluating(model):
        own = head_from_logits(model(**inputs).logits, task.labels, fused_head.plan.vocab)
    difference, size = (float(gather(x.reshape(1)).max()) for x in _differences(task.output, own))
    if difference <= (1 + size) * _TOLERANCE:
        return None
    return (
        f"what it makes of the hidden states of {_name(model)} differs from the model's own logits by "
        f"{difference:.3g} (largest logit {size:.3g}): the model transforms its logits in a way that is not known here"
    )


def _differences(found: Any, own: HeadOutput) -> tuple[Tensor, Tensor]:
    """The largest difference of number logits and label log-probabilities, and the largest number logit."""
    logits = (found.number_logits - own.number_logits).abs()[own.label_mask].amax()
    return torch.maximum(logits, (found.log_probs - own.log_probs).abs().amax()), own.number_logits.abs().amax()


def text_of(inputs: dict[str, Any]) -> Tensor:
    """A few token ids of a batch that carry labels, `[1, T]`: text, whatever else the inputs hold."""
    labelled = inputs["labels"][inputs["labels"] != IGNORE_INDEX].unsqueeze(0)
    return (labelled if labelled.numel() else inputs["input_ids"][:1])[:, :_POSITIONS]


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
    """Without gradients and dropout; afterwards the model is in the mode that it was in."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _unwrapped(model: nn.Module) -> Any:
    return getattr(model, "module", model)


def _name(model: nn.Module) -> str:
    inner: Any = _unwrapped(model)
    return type(inner.get_base_model() if hasattr(inner, "get_base_model") else inner).__name__
