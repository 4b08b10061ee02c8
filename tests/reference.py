"""CE + weight * NTL-WAS over a whole optimizer step, by float64 autograd on full logits and nothing of the library."""

import copy
from typing import Any

import torch
from torch.nn import functional as F

DIGIT_IDS = range(4, 14)  # of tests/tiny.py's tokenizer


def step_gradients(
    model: Any,
    batches: list[dict[str, torch.Tensor]],
    weight: float = 0.3,
    reweigh: bool = False,
    sigma: float = 0,
    number_sum: Any = None,
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Gradients of the trainable parameters, and the loss and its parts.

    Args:
        number_sum: another number loss: a function of aligned logits `[B, T, V]` and labels, summed over all tokens.
    """
    model = copy.deepcopy(model).double().train()
    ce, ntl, tokens, numbers, soft_ce = 0.0, 0.0, 0, 0, 0.0
    for batch in batches:
        logits, labels = _logits_and_labels(model, batch)
        parts = _sums(logits, labels, reweigh, sigma)
        number_part = parts[1] if number_sum is None else number_sum(logits, labels)
        ce, ntl, tokens, numbers = ce + parts[0], ntl + number_part, tokens + parts[2], numbers + parts[3]
        soft_ce += parts[4]
    loss = soft_ce / tokens + weight * ntl / max(numbers, 1)
    loss.backward()
    with torch.no_grad():
        parts = {"loss": loss, "ce_loss": ce / tokens, "ntl_loss": ntl / max(numbers, 1)}
        values = {name: float(part) for name, part in parts.items()}
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, values


def _logits_and_labels(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "decoder_input_ids")}
    labels = batch["labels"]
    if not model.config.is_encoder_decoder:
        logits = model(**inputs, use_cache=False).logits
        before = logits.shape[1] - labels.shape[1]  # virtual tokens, of which the last predicts the first label
        return (logits[:, before - 1 : -1], labels) if before else (logits[:, :-1], labels[:, 1:])
    start = torch.full_like(labels[:, :1], model.config.decoder_start_token_id)
    decoder_ids = torch.cat([start, labels[:, :-1].masked_fill(labels[:, :-1] == -100, model.config.pad_token_id)], 1)
    return model(**inputs, decoder_input_ids=decoder_ids, use_cache=False).logits, labels


def _sums(
    logits: torch.Tensor, labels: torch.Tensor, reweigh: bool, sigma: float
) -> tuple[torch.Tensor, Any, int, int, torch.Tensor]:
    logits, labels = logits[labels != -100], labels[labels != -100]
    ce = F.cross_entropy(logits, labels, reduction="sum")
    is_number = (labels >= DIGIT_IDS[0]) & (labels <= DIGIT_IDS[-1])
    probs = logits[is_number].softmax(-1)[:, list(DIGIT_IDS)]
    mass = probs.sum(-1)
    true = (labels[is_number] - DIGIT_IDS[0]).double()
    distances = (true[:, None] - torch.arange(10).double()).abs()
    ntl = (probs * distances).sum(-1) / mass
    soft_ce = ce
    if sigma:
        targets = torch.exp(-((distances / sigma) ** 2) / 2)
        targets = targets / targets.sum(-1, keepdim=True)
        log_probs = logits[is_number].log_softmax(-1)[:, list(DIGIT_IDS)]
        soft_ce = (
            F.cross_entropy(logits[~is_number], labels[~is_number], reduction="sum") - (targets * log_probs).sum()
        )
        # Digits are one apart, so that the area between the cumulative distributions is a plain sum.
        ntl = (probs / mass.unsqueeze(-1) - targets).cumsum(-1).abs().sum(-1)
    if reweigh:
        ntl = ntl * mass + 1.01 * 9 * (1 - mass)
    return ce, ntl.sum(), int(labels.numel()), int(is_number.sum()), soft_ce
