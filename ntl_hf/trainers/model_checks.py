"""Trust, then check: what is assumed about a model is compared with the model itself, once, on the first batch."""

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from ..head import head_from_logits
from ..head.fused import FusedHead, HeadResult, UnsupportedHeadError
from ..head.transform import LogitTransform
from ..losses.head_output import HeadOutput
from ..losses.objective import router_loss
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import IGNORE_INDEX, Targets, align_labels, make_targets
from .logit_probe import HALF_TOLERANCE, TOLERANCE, LogitProbe, head_error, probe
from .model_kind import logits_of
from .model_modes import can_restore, in_mode, restored

_POSITIONS = 16
_OWN_LOSS_TOLERANCE = 2e-2
# Logits that the check of the model's own loss may build, 128 MiB in float32; longer rows go unchecked.
_MOST_LOGITS = 2**25


def check_head(
    model: nn.Module,
    unwrapped: nn.Module,
    fused_head: FusedHead,
    transforms: Sequence[LogitTransform],
    text: dict[str, Any],
    targets: Targets,
    gather: Callable[[Tensor], Tensor],
) -> FusedHead | str:
    """Compare with the model's own logits on a few tokens, at small and large logits, in training mode as well.

    In training mode only where that leaves random numbers and buffers as they were.

    Args:
        model: the model as it is called.
        unwrapped: the same without its wrappers for distributed training.
        fused_head: what is checked.
        transforms: what the model may do with its projection, the likeliest first.
        text: inputs of one row of text, without labels.
        targets: of that row, `[1, T]`, as the fused head's loss needs them.
        gather: stacks a tensor `[1, ...]` of each process; all of them come to one result.

    Returns:
        The fused head with the first of the transforms that agrees, or what differs and by how much.
    """
    heads = [fused_head.with_transform(each) for each in transforms]
    probes: list[LogitProbe] = []

    def measure() -> Tensor:
        # Before the passes with logits: ZeRO-3 fetches and releases weights by what it has seen in the first.
        results = [_fused_pass(model, unwrapped, head, text, targets) for head in heads]
        probes.extend(_probes(model, unwrapped, text, targets))
        own = probes[0].head(targets)
        errors = [
            [_fused_error(result, own), *(p.error_of(transform, targets) for p in probes)]
            for result, transform in zip(results, transforms, strict=True)
        ]
        # The worst of all passes.
        return torch.stack([torch.stack(each).amax(0) for each in errors])

    errors, problem = _worst_of_all(measure, len(heads), gather, _name(model))
    for head, error in zip(heads, errors, strict=True):
        if error[0] <= 0:
            return head
    return problem or _difference(_name(model), errors[0], _where(probes, transforms[0], targets))


def _probes(model: nn.Module, unwrapped: nn.Module, text: dict[str, Any], targets: Targets) -> list[LogitProbe]:
    with in_mode(model, training=False):
        small = probe(model, unwrapped, text)
        factor = small.large_factor(targets)
        probes = [small, probe(model, unwrapped, text, factor)]
    if can_restore(unwrapped):
        # In training mode a model may ask for more than text.
        with suppress(Exception), restored(unwrapped), in_mode(model, training=True):
            probes.append(probe(model, unwrapped, text, factor))
    for problem in (each.problem for each in probes):
        if problem is not None:
            raise UnsupportedHeadError(problem)
    return probes


def _fused_pass(
    model: nn.Module, unwrapped: nn.Module, fused_head: FusedHead, text: dict[str, Any], targets: Targets
) -> HeadResult:
    with in_mode(model, training=False), fused_head.collect(unwrapped, targets) as result:
        model(**text)
    return result


def _fused_error(result: HeadResult, own: HeadOutput) -> Tensor:
    """See `head_error`: of what the fused head found, on the model's own logits."""
    tolerance = TOLERANCE if result.dtype in (torch.float32, torch.float64) else HALF_TOLERANCE
    return head_error(result.output, own, own.number_logits[own.label_mask].abs().amax(), tolerance)


def _worst_of_all(
    measure: Callable[[], Tensor], count: int, gather: Callable[[Tensor], Tensor], name: str
) -> tuple[Tensor, str | None]:
    """Errors `[count, 3]`, the worst of all processes, and what this one met instead of measuring them."""
    errors, problem = torch.full((count, 3), math.inf), None
    try:
        errors = measure()
    except UnsupportedHeadError as error:
        problem = str(error)
    except Exception as error:  # whatever a model does not like about text alone, or about a head without positions
        problem = f"{name} could not be checked on a few tokens ({type(error).__name__}: {error})"
    # All processes get here, also those that met an error: they have to come to one result.
    return gather(errors.unsqueeze(0)).amax(0).cpu(), problem


def _where(probes: list[LogitProbe], transform: LogitTransform, targets: Targets) -> str:
    """Under which conditions the difference was largest, with a space before."""
    if not probes:  # of another process
        return ""
    errors = torch.stack([p.error_of(transform, targets)[0] for p in probes])
    return probes[int(errors.argmax())].conditions if errors.amax() > 0 else ""  # else of the fused head's own sums


def _difference(name: str, error: Tensor, where: str) -> str:
    _, difference, size = error.tolist()
    if not math.isfinite(size):
        return f"the logits of {name} on the first batch are not finite, here or in another process"
    return (
        f"what it makes of the hidden states of {name} differs from the model's own logits by {difference:.3g} "
        f"(largest logit {size:.3g}){where}: the model transforms its logits in a way that is not known here"
    )


def text_of(inputs: dict[str, Any]) -> Tensor:
    """A few token ids of a batch that carry labels, `[1, T]`: text, whatever else the inputs hold."""
    labelled = inputs["labels"][inputs["labels"] != IGNORE_INDEX].unsqueeze(0)
    return (labelled if labelled.numel() else inputs["input_ids"][:1])[:, :_POSITIONS]


def warn_about_own_loss(model: nn.Module, inputs: dict[str, Any], vocab: NumberVocab, shift: bool) -> None:
    """Warn if the model's own loss is not the cross entropy, with the known auxiliary loss, that is trained here.

    Looks at the first row of a batch of text.
    """
    if "pixel_values" not in inputs:  # whose rows need not be those of the text
        rows = len(inputs["labels"])
        inputs = {
            name: value[:1] if isinstance(value, Tensor) and value.ndim and len(value) == rows else value
            for name, value in inputs.items()
        }
    labels = inputs["labels"]
    if labels.numel() * _unwrapped(model).config.get_text_config().vocab_size > _MOST_LOGITS:
        return
    with in_mode(model, training=False):
        outputs = model(**inputs)
    logits, own = logits_of(outputs, vocab), outputs.get("loss")
    if own is None or len(logits) != len(labels) or logits.shape[1] < labels.shape[1]:
        return
    rest = float(router_loss(_unwrapped(model).config, outputs))
    trained, moves = (inputs["shift_labels"], False) if "shift_labels" in inputs else (labels, shift)
    known = _cross_entropy(logits, trained, vocab, moves) + rest
    otherwise = _cross_entropy(logits, labels, vocab, not shift) + rest
    if not _is_close(float(own), known):
        is_shift = _is_close(float(own), otherwise)
        advice = _SHIFTED[shift] if is_shift else _MORE_TERMS
        warnings.warn(
            f"The own loss of {_name(model)} on the first batch is {float(own):.4g}, its cross entropy (with the "
            f"auxiliary loss) {known:.4g}: {advice}"
        )


_MORE_TERMS = (
    "further terms of its own loss are not trained. Add them in a `compute_loss_func`, or use `NTLSFTTrainer` if TRL "
    "supports the model."
)
# By whether this trainer moves the labels.
_SHIFTED = {
    True: (
        "its own loss does not move the labels, and this trainer does: the logits at t are compared with the label at "
        "t + 1, as a model that writes text needs it. Nothing is to be done where labels are token ids as the model "
        "reads them; labels that your data collator has moved go into the batch as `shift_labels`."
    ),
    False: (
        "its own loss moves the labels, and this trainer does not: the logits at t are compared with the label at t, "
        "as in encoder-decoders and masked language models. If this model is a decoder, its class should say so "
        "(`config.is_encoder_decoder`, `loss_type`); or put moved labels into the batch as `shift_labels`."
    ),
}


@torch.no_grad()
def _cross_entropy(logits: Tensor, labels: Tensor, vocab: NumberVocab, shift: bool) -> float:
    targets = make_targets(align_labels(labels.to(logits.device), logits.shape[1], shift), vocab)
    head = head_from_logits(logits, targets)
    return -float(head.log_probs.sum() / head.label_mask.sum().clamp(min=1))


def _is_close(own: float, other: float) -> bool:
    return abs(own - other) <= _OWN_LOSS_TOLERANCE * max(1.0, abs(own))


def _unwrapped(model: nn.Module) -> Any:
    return getattr(model, "module", model)


def _name(model: nn.Module) -> str:
    inner: Any = _unwrapped(model)
    return type(inner.get_base_model() if hasattr(inner, "get_base_model") else inner).__name__
