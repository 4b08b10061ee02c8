"""`NumberLoss`: the number loss that a config describes, ready for one vocabulary."""

import torch
from torch import Tensor, nn

from ..settings.config import NTLConfig
from ..settings.losses import LOSS_FACTS
from ..tokens.number_layout.layout import NumberLayout
from .number_losses import expected_value, neutral_inputs, reweigh_by_mass
from .place_weights import del_weights, ntil_weights
from .terms import NumberColumns, NumberTokens, make_term


class NumberLoss(nn.Module):
    """The sum of the terms that `config` names, over number tokens worth `values`.

    Holds its constants as buffers: `.to(device)` moves them. It has no parameters.

    Args:
        config: what is computed; weight, schedule, head and balance are left to others.
        values: value of each number token, `[D]`, ascending.
        soft_targets: what "was" measures the distance to, `[D, D]`, see `gaussian_targets`; None: the true token
            alone. The other losses compare with the true value in either case.
        widths: digits of each number token, `[D]`, int64. Only for losses that read numbers (`config.reads_text`),
            like the next.
        mark_kinds: kind of the points, commas and minus signs in the columns after the number tokens, `[F]`, int64.

    Raises:
        ValueError: `squash_factor` with values that are all equal; an answer of `raft_grid` that is no token.
    """

    values: Tensor
    term_weights: Tensor
    balance_factors: Tensor

    def __init__(
        self,
        config: NTLConfig,
        values: Tensor,
        soft_targets: Tensor | None = None,
        widths: Tensor | None = None,
        mark_kinds: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.reweigh = config.reweigh
        self.place_weights, self.place_base = config.place_weights, config.place_base
        self.names = tuple(term.name for term in config.terms)
        columns = NumberColumns(values.float(), soft_targets, widths, mark_kinds)
        self.terms = nn.ModuleList(make_term(name, config, columns) for name in self.names)
        self.register_buffer("values", values.float(), persistent=False)
        self.register_buffer("term_weights", torch.tensor(config.term_weights), persistent=False)
        # Of the balance: a factor of each term, 1 without it.
        self.register_buffer("balance_factors", torch.ones(len(self.names)), persistent=False)

    def forward(
        self,
        number_logits: Tensor,
        target: Tensor,
        log_mass: Tensor | None = None,
        layout: NumberLayout | None = None,
    ) -> Tensor:
        """The loss at each position, `[...]`, float32; 0, with a gradient of 0, where the label is no number.

        Args:
            number_logits: `[..., D]`, or `[n, D + F]` with the marks.
            target: column of the label among the number tokens, `[...]`, int64; -1 where it is not one of them.
            log_mass: log of the number mass, `[...]`; needed where `config.needs_mass`.
            layout: where the positions stand in their numbers, of all n; needed where `config.reads_text`.

        Raises:
            ValueError: something that is needed is missing.
        """
        # The balance is a matter of training: what is evaluated stays comparable.
        weights = self.term_weights * self.balance_factors if self.training else self.term_weights
        parts = self.by_term(number_logits, target, log_mass, layout).unbind(-1)
        return sum((weight * part for weight, part in zip(weights[1:], parts[1:], strict=True)), weights[0] * parts[0])

    def by_term(
        self,
        number_logits: Tensor,
        target: Tensor,
        log_mass: Tensor | None = None,
        layout: NumberLayout | None = None,
    ) -> Tensor:
        """Each term at each position, without its weight, `[..., terms]`; arguments as of `forward`."""
        is_number = target >= 0
        column, neutral = neutral_inputs(number_logits[..., : len(self.values)], target)
        if log_mass is not None:
            log_mass = log_mass.masked_fill(~is_number, 0.0)
        tokens = NumberTokens(neutral, number_logits, column, log_mass, layout)
        losses = [self._term(name, term, tokens) for name, term in zip(self.names, self.terms, strict=True)]
        return torch.stack([each.masked_fill(~is_number, 0.0) for each in losses], dim=-1)

    def _term(self, name: str, term: nn.Module, tokens: NumberTokens) -> Tensor:
        losses = term(tokens)
        if self.reweigh:
            assert isinstance(term.largest, Tensor)  # of every loss that `reweigh` is allowed for
            losses = reweigh_by_mass(losses, tokens.require_mass(), term.largest)
        if self.place_weights != "none" and LOSS_FACTS[name].takes_place_weights:
            place = tokens.require_layout().place
            weights = del_weights(place) if self.place_weights == "del" else ntil_weights(place, self.place_base)
            losses = losses * weights
        return losses

    @torch.no_grad()
    def absolute_error(self, number_logits: Tensor, target: Tensor) -> Tensor:
        """|expected value - true value|, `[...]`, float32; 0 where the label is no number."""
        error = (expected_value(number_logits, self.values) - self.values[target.clamp_min(0)]).abs()
        return error.masked_fill(target < 0, 0.0)
