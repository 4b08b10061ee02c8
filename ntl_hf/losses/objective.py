"""CE + weight * NTL: what is added, what it is divided by, and the logged components. CE may have soft targets."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..settings.config import NTLConfig
from ..tokens.number_layout import NumberLayout, NumberSyntax
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import Targets, make_targets
from . import GaussianSmoothing, NumberLoss, gaussian_targets
from .head_output import HeadOutput

# What is summed over positions, for the log.
_CE, _TOKENS, _NTL, _NUMBERS, _MASS, _ERROR = range(6)
COMPONENT_NAMES = ("ce_loss", "ntl_loss", "number_mass", "number_mae", "number_token_fraction")
_COMPONENTS = 6


@dataclass(frozen=True)
class LossFactors:
    """loss = ce * (sum of CE) + ntl * (sum of NTL), both scalars on the device; `ntl` is None at weight 0."""

    ce: Tensor
    ntl: Tensor | None

    @property
    def sum_weight(self) -> Tensor | None:
        """The weight of the sum of NTL beside that of CE: loss = ce * (sum of CE + sum_weight * sum of NTL)."""
        return None if self.ntl is None else self.ntl / self.ce


def router_loss(config: Any, outputs: Any) -> Tensor | float:
    """What the router of a mixture of experts adds to the loss, scalar: a mean over the micro-batch.

    Args:
        config: of the model, which has the weight.
        outputs: of the model, with `aux_loss` if it is a mixture of experts.
    """
    text, auxiliary = config.get_text_config(), outputs.get("aux_loss")
    weight = getattr(text, "router_aux_loss_coef", getattr(text, "aux_loss_coef", 0.0))
    return 0.0 if auxiliary is None else weight * auxiliary


class NTLObjective:
    """The two parts of the loss as sums over positions; whoever knows the counts divides them.

    Args:
        vocab: the number tokens.
        config: the settings.
        syntax: how numbers are written, where `config.reads_text`.

    Attributes:
        uses_mass: whether the number loss depends on the number mass.
        term_names: names of the terms in the log, if there are several.
    """

    def __init__(self, vocab: NumberVocab, config: NTLConfig, syntax: NumberSyntax | None = None) -> None:
        self.vocab, self.config, self.syntax = vocab, config, syntax
        sigma = config.gaussian_sigma
        soft_targets = gaussian_targets(vocab.values, vocab.forms, sigma) if sigma > 0 else None
        columns = () if syntax is None else (syntax.widths, syntax.mark_kinds)
        self.number_loss = NumberLoss(config, vocab.values, soft_targets, *columns)
        self.smoothing = None if soft_targets is None else GaussianSmoothing(soft_targets)
        names = self.number_loss.names
        self.uses_mass = config.needs_mass
        self.term_names = tuple(f"ntl_{name}_loss" for name in names) if len(names) > 1 else ()

    def targets(self, labels: Tensor) -> Targets:
        """What is known of aligned labels, `[B, T]`, before there are logits."""
        return make_targets(labels, self.vocab, self.syntax)

    def number_losses(self, head: HeadOutput) -> Tensor:
        """The number loss at each position, `[B, T]`, float32, 0 where the label is not a number."""
        if head.number_losses is not None:
            return head.number_losses
        return self.losses_at(*_flat(head)).view(head.target.shape)

    def losses_at(
        self, number_logits: Tensor, target: Tensor, log_mass: Tensor, layout: NumberLayout | None = None
    ) -> Tensor:
        """The number loss at each position, see `NumberLoss.forward`; its constants follow the device."""
        return _on_device_of(number_logits, self.number_loss)(number_logits, target, log_mass, layout)

    def smoothing_sum(self, head: HeadOutput) -> Tensor | None:
        """What Gaussian label smoothing adds to the sum of CE, scalar, float32; None without it."""
        if self.smoothing is None:
            return None
        if head.smoothing_terms is not None:
            return head.smoothing_terms.sum()
        return self.smoothing_at(head.number_logits, head.target).sum()

    def smoothing_at(self, number_logits: Tensor, target: Tensor) -> Tensor:
        """The same at each position, see `GaussianSmoothing.forward`; its constants follow the device."""
        return _on_device_of(number_logits, self.smoothing)(number_logits, target)

    @staticmethod
    def cross_entropy_sum(head: HeadOutput, label_smoothing: float = 0.0) -> Tensor:
        """Cross entropy summed over labelled positions, scalar, float32.

        With smoothing e it is (1 - e) * CE + e * U, U the cross entropy to the uniform distribution over the
        vocabulary, as in `transformers`.
        """
        if not label_smoothing:
            return -head.log_probs.sum()
        if head.mean_log_probs is None:
            raise ValueError("Label smoothing needs the log-probabilities averaged over the vocabulary.")
        return -((1 - label_smoothing) * head.log_probs.sum() + label_smoothing * head.mean_log_probs.sum())

    @torch.no_grad()
    def component_sums(self, head: HeadOutput, number_losses: Tensor) -> Tensor:
        """What `ComponentMeter` adds up: sums over the positions of each row, `[B, 6 + terms]`, float64.

        Where the number loss is a single term, that is all of it, and is left out.
        """
        is_number = head.target >= 0
        parts = [
            -head.log_probs,
            head.label_mask,
            number_losses,
            is_number,
            head.log_mass.masked_fill(~is_number, -torch.inf).exp(),
            self.number_loss.absolute_error(head.number_logits, head.target),
        ]
        # float32 would stop counting at 16.7 million tokens; Apple's devices have no float64.
        dtype = torch.float32 if head.log_probs.device.type == "mps" else torch.float64
        if self.term_names:
            parts += self.losses_by_term(head).unbind(-1)
        return torch.stack([part.sum(-1, dtype=dtype) for part in parts], dim=-1)

    def losses_by_term(self, head: HeadOutput) -> Tensor:
        """Each term at each position, without its weight, `[B, T, terms]`, float32."""
        losses = _on_device_of(head.number_logits, self.number_loss).by_term(*_flat(head))
        return losses.view(*head.target.shape, losses.shape[-1])

    # ---- The balance ----

    def size_sums(self, head: HeadOutput) -> Tensor:
        """What `Balance.add` takes, `[terms + 3]`, float32: losses, or squares of gradients of the watched logits."""
        sizes = self._loss_sums(head) if self.config.balance == "loss" else self._gradient_sums(head)
        counts = torch.stack([head.label_mask.sum(), (head.target >= 0).sum()]).to(sizes)
        return torch.cat([sizes[:1], counts, sizes[1:]])

    @torch.no_grad()
    def _loss_sums(self, head: HeadOutput) -> Tensor:
        return torch.cat([-head.log_probs.sum().unsqueeze(0), self.losses_by_term(head).flatten(0, -2).sum(0)])

    def _gradient_sums(self, head: HeadOutput) -> Tensor:
        logits, target, log_mass, layout = _flat(head)
        logits = logits.detach().requires_grad_()
        is_number = (target >= 0).unsqueeze(-1)
        # Of CE with respect to the number logits: the probabilities, less 1 at the label.
        probs = (logits[..., : len(self.vocab)].detach().log_softmax(-1) + log_mass.detach().unsqueeze(-1)).exp()
        truth = torch.zeros_like(probs).scatter_(-1, target.clamp_min(0).unsqueeze(-1), 1.0)
        sizes = [((probs - truth) * is_number).square().sum()]
        with torch.enable_grad():
            terms = self.number_loss.by_term(logits, target, log_mass.detach(), layout)
        for term in terms.flatten(0, -2).sum(0):
            sizes.append(torch.autograd.grad(term, logits, retain_graph=True)[0].square().sum())
        return torch.stack(sizes)


def _flat(head: HeadOutput) -> tuple[Tensor, Tensor, Tensor, NumberLayout | None]:
    """What a number loss takes; where it looks at whole numbers, of all positions in a row."""
    if head.layout is None or head.mark_logits is None:
        return head.number_logits, head.target, head.log_mass, None
    watched = torch.cat([head.number_logits, head.mark_logits], -1).flatten(0, -2)
    return watched, head.target.reshape(-1), head.log_mass.reshape(-1), head.layout


def _on_device_of(tensor: Tensor, module: Any) -> Any:
    if next(module.buffers()).device != tensor.device:
        module.to(tensor.device)
    return module


class ComponentMeter:
    """Adds up the components on the device, step by step, and gathers them from all processes once per log.

    Args:
        term_names: of the sums after the first six.
    """

    def __init__(self, term_names: tuple[str, ...] = ()) -> None:
        self._term_names = term_names
        self._sums: Tensor | None = None

    def add(self, sums: Tensor) -> None:
        """Add the sums of the rows of one batch, `[B, 6 + terms]` (`NTLObjective.component_sums`)."""
        total = sums.sum(0)
        self._sums = total if self._sums is None else self._sums + total

    def flush(self, gather: Callable[[Tensor], Tensor] | None = None) -> dict[str, float]:
        """The means since the last flush, over all processes; empty if nothing was added.

        Args:
            gather: stacks a tensor `[1, ...]` of each process to `[processes, ...]`, as `Accelerator.gather` does. It
                is a collective call: all processes flush together. None if the sums are of all processes already.
        """
        if self._sums is None:
            return {}
        sums = self._sums.unsqueeze(0)
        total = (sums if gather is None else gather(sums)).double().sum(0).tolist()
        self._sums = None
        return _means(total, self._term_names)


def _means(total: list[float], term_names: tuple[str, ...]) -> dict[str, float]:
    """Names and values for the log; what is a mean over number tokens is NaN where there was none."""
    tokens, numbers = max(total[_TOKENS], 1), total[_NUMBERS]
    means = (
        total[_CE] / tokens,
        total[_NTL] / max(numbers, 1),
        total[_MASS] / numbers if numbers else math.nan,
        total[_ERROR] / numbers if numbers else math.nan,
        numbers / tokens,
    )
    terms = (value / max(numbers, 1) for value in total[_COMPONENTS:])
    return dict(zip((*COMPONENT_NAMES, *term_names), (*means, *terms), strict=True))
