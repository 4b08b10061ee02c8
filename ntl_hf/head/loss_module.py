"""`NTLoss`: the number loss on full logits, for training loops of one's own."""

from typing import Any

import torch
from torch import Tensor, nn

from ..losses import NumberLoss, expected_value, reduce_losses
from ..losses.objective import NTLObjective
from ..settings.config import NTLConfig
from ..tokens.number_layout import NumberSyntax
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import IGNORE_INDEX, shift_labels
from . import head_from_logits, log_normalizers, number_logits_of


class NTLoss(nn.Module):
    """The Number Token Loss on full logits; add it to cross entropy: `loss = ce + 0.3 * ntl(logits, labels)`.

    Source: Zausinger et al., "Regress, Don't Guess", ICML 2025, arXiv 2411.02083.

    Args:
        tokenizer: any Hugging Face tokenizer; it is not changed.
        loss: one of `ntl_hf.settings.losses.LOSSES`, or several with their weights, see `NTLConfig.loss`. A
            term without a weight of its own has 1 here.
        digits_only: single digits alone count as numbers.
        reweigh: weigh by the probability on number tokens.
        squash_factor: for "was", see `ntl_hf.losses.value_distances`.
        options: further settings of `NTLConfig` that concern the loss: `p`, `huber_delta`, `place_weights`, ...,
            `gaussian_sigma` (the cross entropy of `with_cross_entropy` is then the Gaussian one).

    Raises:
        ValueError: unknown loss or a setting out of range.
        NoNumberTokensError: the tokenizer has no number tokens.
    """

    def __init__(
        self,
        tokenizer: Any,
        loss: str = "was",
        digits_only: bool = True,
        reweigh: bool = False,
        squash_factor: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        config = NTLConfig(
            weight=1.0, loss=loss, digits_only=digits_only, reweigh=reweigh, squash_factor=squash_factor, **options
        )
        if config.balance != "none":
            raise ValueError("`balance` is for the trainers, which know the steps that it is made over.")
        self.vocab = NumberVocab.from_tokenizer(tokenizer, digits_only)
        syntax = NumberSyntax.from_tokenizer(tokenizer, self.vocab) if config.reads_text else None
        self.objective = NTLObjective(self.vocab, config, syntax)
        self.number_loss, self.smoothing = self.objective.number_loss, self.objective.smoothing

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        loss_weights: Tensor | None = None,
        reduction: str = "mean",
        ignore_index: int = IGNORE_INDEX,
        shift: bool = False,
    ) -> Tensor:
        """The loss over the positions whose label is a number token.

        Args:
            logits: `[B, T, V]`, any float dtype; V may be wider than the tokenizer.
            labels: `[B, T]`, int64, aligned with the logits.
            loss_weights: weight of each label, `[B, T]`, 0 or more.
            reduction: "mean" (weighted, over number tokens), "sum", or "none" (`[B, T]`, 0 off the numbers).
            ignore_index: label to leave out.
            shift: for decoder-only models, whose logits at t predict the label at t + 1: labels and weights are as
                given to the model, and are moved here.

        Returns:
            float32 (float64 for float64 logits), in the unit of the loss. Without any number in the batch it is 0 and
            can still be backpropagated.

        Raises:
            ValueError: shapes that do not fit, negative weights, labels outside the vocabulary, unknown reduction.
            TypeError: labels that are not int64, or logits that are not floating point.
        """
        labels = self._checked(logits, labels, ignore_index, shift, loss_weights)
        number_loss = self._to(logits.device)
        if self.objective.uses_mass or self.objective.syntax is not None:
            head = head_from_logits(logits, self.objective.targets(labels))
            target, losses = head.target, self.objective.number_losses(head)
        else:
            # Without a look at the other logits, however many there are.
            target = self.vocab.columns(labels)
            losses = number_loss(number_logits_of(logits, self.vocab), target)
        return reduce_losses(losses, _weights(target, loss_weights, shift), reduction)

    def with_cross_entropy(
        self,
        logits: Tensor,
        labels: Tensor,
        ignore_index: int = IGNORE_INDEX,
        shift: bool = False,
        inplace: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Cross entropy and the number loss of the same logits, for `loss = ce + 0.3 * ntl`.

        Both come out of one pass forward and one backward over the logits, with a single gradient of their size and
        sums in float32: cheaper than cross entropy alone.

        Args:
            logits: `[B, T, V]`, as in `forward`.
            labels: `[B, T]`, as in `forward`.
            ignore_index: label to leave out.
            shift: as in `forward`.
            inplace: the backward pass, if there is one, writes the gradient over the logits instead of making another
                tensor of their size. Only for logits that a model made, and that nothing looks at afterwards.

        Returns:
            CE averaged over the labels and the number loss averaged over the number tokens, scalars, float32 (float64
            for float64 logits); 0 where there is nothing to average.

        Raises:
            ValueError, TypeError: as in `forward`; also `inplace` for a leaf of the graph.
        """
        if inplace and logits.is_leaf and logits.requires_grad:
            raise ValueError("`inplace=True` needs logits that a model made: these are a leaf, and would be lost.")
        labels = self._checked(logits, labels, ignore_index, shift)
        self._to(logits.device)
        head = head_from_logits(logits, self.objective.targets(labels), inplace=inplace)
        losses = self.objective.number_losses(head)
        cross_entropies = -head.log_probs
        if self.smoothing is not None:
            cross_entropies = cross_entropies + self.smoothing(head.number_logits, head.target)
        return reduce_losses(cross_entropies, head.label_mask), reduce_losses(losses, head.target >= 0)

    @torch.no_grad()
    def predict_numbers(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """What number the model expects at every position, and how much it believes in a number at all.

        Args:
            logits: `[B, T, V]`.

        Returns:
            The expected value, `[B, T]`, in the unit of the values, and the number mass, `[B, T]`, 0 to 1; float32.
        """
        number_logits = number_logits_of(logits, self.vocab).float()
        log_mass = number_logits.logsumexp(-1) - log_normalizers(logits).float()
        return expected_value(number_logits, self._to(logits.device).values), log_mass.clamp(max=0).exp()

    def _checked(
        self, logits: Tensor, labels: Tensor, ignore_index: int, shift: bool, loss_weights: Tensor | None = None
    ) -> Tensor:
        """The labels aligned with the logits, -100 where there is none, once everything has been looked at."""
        _check(logits, labels, loss_weights, ignore_index)
        self.vocab.check_fits(logits.shape[-1])
        labels = labels.masked_fill(labels == ignore_index, IGNORE_INDEX)
        return shift_labels(labels) if shift else labels

    def _to(self, device: torch.device) -> NumberLoss:
        # People write `NTLoss(tokenizer)` beside a model on a GPU and expect it to follow.
        if self.number_loss.values.device != device:
            self.to(device)
        return self.number_loss


def _weights(target: Tensor, loss_weights: Tensor | None, shift: bool) -> Tensor:
    is_number = target >= 0
    if loss_weights is None:
        return is_number
    if shift:
        loss_weights = nn.functional.pad(loss_weights, (0, 1))[..., 1:]
    return loss_weights * is_number


def _check(logits: Tensor, labels: Tensor, loss_weights: Tensor | None, ignore_index: int) -> None:
    if not torch.is_floating_point(logits):
        raise TypeError(f"`logits` must be floating point, not {logits.dtype}.")
    if labels.dtype != torch.long:
        raise TypeError(f"`labels` must be int64 token ids, not {labels.dtype}.")
    if logits.ndim != 3 or labels.shape != logits.shape[:-1]:
        raise ValueError(
            f"`logits` must be [B, T, V] and `labels` [B, T]; got {tuple(logits.shape)} and {tuple(labels.shape)}."
        )
    if loss_weights is not None and loss_weights.shape != labels.shape:
        raise ValueError(
            f"`loss_weights` must have the shape of `labels`, {tuple(labels.shape)}; got {tuple(loss_weights.shape)}."
        )
    # Reading values back from an accelerator would stall it on every step.
    if labels.device.type != "cpu":
        return
    if loss_weights is not None and bool((loss_weights < 0).any()):
        raise ValueError("`loss_weights` must be 0 or more.")
    outside = ((labels < 0) | (labels >= logits.shape[-1])) & (labels != ignore_index)
    if bool(outside.any()):
        raise ValueError(
            f"`labels` has {int(labels[outside][0])}, outside the vocabulary of {logits.shape[-1]} logits. Use "
            f"{ignore_index} (`ignore_index`) where there is no label."
        )
