"""The head for people who have logits: label log-probs and number logits with one gradient buffer for both."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..losses import log_number_mass
from ..losses.head_output import HeadOutput
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import IGNORE_INDEX, Targets
from .one_pass.block import row_blocks

# Operations whose backward pass does not look at their result.
_OUTPUT_NOT_SAVED = {
    f"{name}Backward0" for name in ("Mm", "Addmm", "UnsafeView", "View", "Slice", "Mul", "Div", "ToCopy", "Unsqueeze")
}


def head_from_logits(
    logits: Tensor, targets: Targets, mean_log_probs: bool = False, metrics: bool = False, inplace: bool = False
) -> HeadOutput:
    """Read the head's output from full logits.

    The results are float32 (float64 for float64 logits) whatever the dtype of the logits; no float32 copy of the
    logits is made, and the backward pass builds a single gradient of their size for everything read from them.

    Args:
        logits: `[B, T, V]`, V at least as wide as the largest number token id.
        targets: of the T positions, or of the last of them, on any device.
        mean_log_probs: also return the log-probability averaged over the vocabulary, for label smoothing.
        metrics: also make the entropy, and whether the label is the most likely token.
        inplace: let the backward pass write the gradient over the logits, so that it takes no memory of its own. For
            logits that nothing else looks at afterwards; where autograd itself does, it raises an error.
    """
    targets = targets.fit(logits.shape[-2], logits.device)
    labels, columns, numbers = targets.labels, targets.columns, len(targets.vocab.ids)
    log_probs, log_normalizer, watched, mean = _LogitsHead.apply(
        logits, labels, targets.watched_ids, mean_log_probs, inplace
    )
    number_logits = watched[..., :numbers]
    return HeadOutput(
        log_probs=log_probs,
        label_mask=labels != IGNORE_INDEX,
        target=columns,
        number_logits=number_logits,
        log_mass=log_number_mass(number_logits, log_normalizer, columns),
        mean_log_probs=mean,
        mark_logits=None if targets.layout is None else watched[..., numbers:],
        layout=targets.layout,
        **(_metrics(logits, labels, log_normalizer) if metrics else {}),
    )


def number_logits_of(logits: Tensor, vocab: NumberVocab) -> Tensor:
    """Logits of the number tokens, `[..., D]`, float32 (float64 for float64), from `[..., V]`."""
    columns = logits.index_select(-1, vocab.ids_on(logits.device))
    return columns.to(torch.promote_types(logits.dtype, torch.float32))


def can_write_over(logits: Tensor) -> bool:
    """Whether autograd has no use for the values of `logits` (`inplace` above): they come straight from a product."""
    return type(logits.grad_fn).__name__ in _OUTPUT_NOT_SAVED


def log_normalizers(logits: Tensor) -> Tensor:
    """`logsumexp` over the vocabulary, `[...]`, float32 (float64 for float64 logits), without a copy of the logits."""
    flat = logits.reshape(-1, logits.shape[-1])
    result = flat.new_empty(flat.shape[0], dtype=torch.promote_types(logits.dtype, torch.float32))
    for rows in row_blocks(flat):
        # From the largest probability, which is 1 / V at least: a softmax takes fewer passes than a logsumexp.
        probs = flat[rows].softmax(-1, dtype=result.dtype)
        result[rows] = flat[rows].amax(-1).to(result.dtype) - probs.amax(-1).log()
    return result.view(logits.shape[:-1])


@torch.no_grad()
def _metrics(logits: Tensor, labels: Tensor, log_normalizer: Tensor) -> dict[str, Tensor]:
    flat, normalizer = logits.reshape(-1, logits.shape[-1]), log_normalizer.reshape(-1, 1)
    entropy, top = normalizer.new_empty(len(flat)), labels.new_empty(len(flat))
    for rows in row_blocks(flat):
        log_probs = flat[rows] - normalizer[rows]
        entropy[rows] = -(log_probs.exp() * log_probs).sum(-1)  # not a dot product: autocast would round it
        top[rows] = log_probs.argmax(-1)
    return {
        "entropy": entropy.view(labels.shape).masked_fill(labels == IGNORE_INDEX, 0.0),
        "is_top1": top.view(labels.shape) == labels,
    }


class _LogitsHead(torch.autograd.Function):
    """(logits, labels) -> label log-probs, log-normalisers, number logits and, where asked for, mean log-probs."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor, number_ids: Tensor, with_mean: bool, inplace: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        ctx.set_materialize_grads(False)
        shape, vocab_size = labels.shape, logits.shape[-1]
        flat, ignored = logits.reshape(-1, vocab_size), (labels == IGNORE_INDEX).reshape(-1)
        columns = labels.reshape(-1).masked_fill(ignored, 0)
        log_normalizer = log_normalizers(flat)
        dtype = log_normalizer.dtype
        label_logits = flat.gather(1, columns.unsqueeze(1)).squeeze(1).to(dtype)
        log_probs = (label_logits - log_normalizer).masked_fill(ignored, 0.0)
        mean = None
        if with_mean:
            mean = (flat.mean(-1, dtype=dtype) - log_normalizer).masked_fill(ignored, 0.0).view(shape)
        ctx.save_for_backward(flat, columns, ignored, number_ids)
        ctx.shape, ctx.inplace = logits.shape, inplace
        number_logits = flat.index_select(1, number_ids).to(dtype).view(*shape, len(number_ids))
        return log_probs.view(shape), log_normalizer.view(shape), number_logits, mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        flat, columns, ignored, number_ids = ctx.saved_tensors
        if not ctx.needs_input_grad[0]:
            return (None,) * 5
        zeros = torch.zeros(len(flat), dtype=torch.promote_types(flat.dtype, torch.float32), device=flat.device)
        label, normalizer, mean = (
            zeros if grad is None else grad.reshape(-1).masked_fill(ignored, 0.0) for grad in (*grads[:2], grads[3])
        )
        number = None if grads[2] is None else grads[2].reshape(flat.shape[0], len(number_ids))
        softmax_factor = normalizer - label - mean
        result = flat if ctx.inplace else torch.empty_like(flat)
        for rows in row_blocks(flat):
            part = flat[rows].softmax(1, dtype=zeros.dtype).mul_(softmax_factor[rows, None])
            if grads[3] is not None:
                part.add_(mean[rows, None] / flat.shape[1])
            part.scatter_add_(1, columns[rows, None], label[rows, None])
            if number is not None:
                part.scatter_add_(1, number_ids.expand(len(part), -1), number[rows])
            # Whatever the logits hold at a position without a label, infinities included, it has no gradient.
            result[rows] = part.masked_fill_(ignored[rows, None], 0.0)
        return result.view(ctx.shape), *[None] * 4
