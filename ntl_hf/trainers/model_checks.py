"""Trust, then check: what is assumed about a model is compared with the model itself, once, on the first batch."""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..head import IGNORE_INDEX, HeadOutput, align_labels, head_from_logits
from ..head.fused import FusedHead, HeadTask
from ..number_vocab import NumberVocab

_POSITIONS = 16
# Relative to 1 + the largest logit. Measured on six architectures whose head is right: 3e-7 in float32, 2e-3 in bf16;
# a cap of 30 that is missed, on small logits: 1e-2.
_TOLERANCE, _HALF_TOLERANCE = 1e-3, 6e-3
_OWN_LOSS_TOLERANCE = 2e-2
# Logits that the check of the model's own loss may build, 128 MiB in float32; longer rows go unchecked.
_MOST_LOGITS = 2**25


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
    problem, difference, size, tolerance = None, math.inf, math.inf, 0.0
    try:
        with _evaluating(model):
            difference, size, tolerance = _compare(model, unwrapped, fused_head, dict(inputs))
    except Exception as error:  # whatever a model does not like about text alone, or about a head without positions
        problem = f"{_name(model)} could not be checked on a few tokens ({type(error).__name__}: {error})"
    # All processes get here, also those that met an error: they have to come to one result.
    worst = [float(gather(torch.tensor([x])).max()) for x in (difference - (1 + size) * tolerance, difference, size)]
    if worst[0] <= 0 or problem is not None:
        return problem
    if not math.isfinite(worst[2]):
        return f"the logits of {_name(model)} on the first batch are not finite, here or in another process"
    return (
        f"what it makes of the hidden states of {_name(model)} differs from the model's own logits by {worst[1]:.3g} "
        f"(largest logit {worst[2]:.3g}): the model transforms its logits in a way that is not known here"
    )


def _compare(
    model: nn.Module, unwrapped: nn.Module, fused_head: FusedHead, inputs: dict[str, Any]
) -> tuple[float, float, float]:
    """The largest difference, the largest number logit, and the tolerance relative to 1 + that."""
    task = HeadTask(labels=inputs.pop("labels"))
    with fused_head.collect(unwrapped, task):
        model(**inputs)
    logits = model(**inputs).logits
    labels = align_labels(task.labels, logits.shape[1], shift=False)
    own = head_from_logits(logits, labels, fused_head.plan.vocab)
    difference, size = (float(x) for x in _differences(task.output, own))
    return difference, size, _TOLERANCE if task.dtype in (torch.float32, torch.float64) else _HALF_TOLERANCE


def _differences(found: Any, own: HeadOutput) -> tuple[Tensor, Tensor]:
    """The largest difference of number logits and label log-probabilities, and the largest number logit."""
    device = own.log_probs.device
    logits = (found.number_logits.to(device) - own.number_logits).abs()[own.label_mask].amax()
    log_probs = (found.log_probs.to(device) - own.log_probs).abs().amax()
    return torch.maximum(logits, log_probs), own.number_logits[own.label_mask].abs().amax()


def text_of(inputs: dict[str, Any]) -> Tensor:
    """A few token ids of a batch that carry labels, `[1, T]`: text, whatever else the inputs hold."""
    labelled = inputs["labels"][inputs["labels"] != IGNORE_INDEX].unsqueeze(0)
    return (labelled if labelled.numel() else inputs["input_ids"][:1])[:, :_POSITIONS]


def warn_about_own_loss(
    model: nn.Module, inputs: dict[str, Any], vocab: NumberVocab, shift: bool, aux_loss_coef: float
) -> None:
    """Warn if the model's own loss is more than cross entropy and the known auxiliary loss: the rest is left out.

    Looks at the first row of a batch of text.
    """
    if "pixel_values" not in inputs:  # whose rows need not be those of the text
        inputs = {name: _first_row(value, len(inputs["labels"])) for name, value in inputs.items()}
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


def _first_row(value: Any, rows: int) -> Any:
    return value[:1] if isinstance(value, Tensor) and value.ndim and len(value) == rows else value


def _vocab_size(model: nn.Module) -> int:
    """Number of logits of a model, wrapped or not."""
    return int(_unwrapped(model).config.get_text_config().vocab_size)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Without gradients and dropout; afterwards the model is in the mode that it was in."""
    # DeepSpeed's engine hands the mode on to the model, and keeps "training" itself.
    training = _unwrapped(model).training
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
