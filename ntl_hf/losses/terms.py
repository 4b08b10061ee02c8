"""The losses by their names in the config, each ready for one vocabulary, all with one signature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from ..settings.config import NTLConfig
from ..tokens.number_layout.layout import NumberLayout
from .digit_entropy import digit_entropy_loss
from .distances import value_distances
from .number_losses import huber_cost, huber_loss, lp_cost, lp_loss, wasserstein_loss
from .place_weights import del_weights
from .proper_scores import crps_loss, energy_kernel, gaussian_kernel, kernel_score, smoothed_kernel
from .regression_aware import grid_columns, raft_loss
from .soft_targets import distance_targets, soft_divergence_loss, soft_wasserstein_loss
from .whole_number import NUMBER_ERRORS, expected_errors


@dataclass(frozen=True)
class NumberColumns:
    """What the columns of the number logits are.

    Attributes:
        values: value of each number token, `[D]`, float32, ascending.
        soft_targets: what "was" measures the distance to, `[D, D]`; None: the true token alone.
        widths: digits of each number token, `[D]`; None where the loss does not read numbers.
        mark_kinds: kind of the marks in the columns after those, `[F]`; None likewise.
    """

    values: Tensor
    soft_targets: Tensor | None = None
    widths: Tensor | None = None
    mark_kinds: Tensor | None = None


@dataclass(frozen=True)
class NumberTokens:
    """What a loss sees of n tokens.

    Attributes:
        logits: of the number tokens, `[..., D]`, finite.
        watched: the same with the marks, `[..., D + F]`, as they are.
        column: of the label, `[...]`, 0 to D - 1.
        log_mass: log of the number mass, `[...]`, or None.
        layout: where the tokens stand, or None.
    """

    logits: Tensor
    watched: Tensor
    column: Tensor
    log_mass: Tensor | None
    layout: NumberLayout | None

    def require_layout(self) -> NumberLayout:
        """The layout; `ValueError` without it."""
        if self.layout is None:
            raise ValueError("This loss needs to know where the tokens stand in their numbers (`layout`).")
        return self.layout

    def require_mass(self) -> Tensor:
        """The number mass; `ValueError` without it."""
        if self.log_mass is None:
            raise ValueError("This loss needs the number mass at every position (`log_mass`).")
        return self.log_mass


class Term(nn.Module):
    """One loss; its constants are buffers, so that `.to(device)` moves them.

    Args:
        function: makes one value a token, `[...]`, of `NumberTokens` and the constants.
        constants: tensors.
        largest: the largest value between two numbers, scalar, for `reweigh`; of losses that allow it alone.
    """

    largest: Tensor | None

    def __init__(
        self, function: Callable[..., Tensor], constants: Sequence[Tensor] = (), largest: Tensor | None = None
    ) -> None:
        super().__init__()
        self._function, self._names = function, [f"constant_{i}" for i in range(len(constants))]
        for name, constant in zip(self._names, constants, strict=True):
            self.register_buffer(name, constant, persistent=False)
        self.register_buffer("largest", largest, persistent=False)

    def forward(self, tokens: NumberTokens) -> Tensor:
        return self._function(tokens, *map(self._buffers.get, self._names))


def make_term(name: str, config: NTLConfig, columns: NumberColumns) -> Term:
    """The loss of that name with the settings of `config`.

    Raises:
        ValueError: a setting that the vocabulary does not allow.
    """
    return _MAKERS[name](config, columns)


def _by_column(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A loss of number logits and columns as one of `NumberTokens`."""
    return lambda tokens, *constants: function(tokens.logits, tokens.column, *constants)


def _wasserstein(config: NTLConfig, columns: NumberColumns) -> Term:
    distances = value_distances(columns.values, config.squash_factor)
    if columns.soft_targets is None:
        return Term(_by_column(wasserstein_loss), [distances], distances.max())
    return Term(_by_column(soft_wasserstein_loss), [columns.values, columns.soft_targets], distances.max())


def _lp(columns: NumberColumns, p: float) -> Term:
    values = columns.values
    return Term(_by_column(partial(lp_loss, p=p)), [values], lp_cost(values.min(), values.max(), p=p))


def _huber(config: NTLConfig, columns: NumberColumns) -> Term:
    values, delta = columns.values, config.huber_delta
    largest = huber_cost(values.min(), values.max(), delta=delta)
    return Term(_by_column(partial(huber_loss, delta=delta)), [values], largest)


def _kernel(kernel: Tensor) -> Term:
    return Term(_by_column(kernel_score), [kernel.float()])


def _dist2(config: NTLConfig, columns: NumberColumns) -> Term:
    return Term(_by_column(soft_divergence_loss), [distance_targets(columns.values, config.dist2_temperature)])


def _del(config: NTLConfig, columns: NumberColumns) -> Term:
    def loss(tokens: NumberTokens) -> Tensor:
        return digit_entropy_loss(tokens.logits, tokens.column) * del_weights(tokens.require_layout().place)

    return Term(loss)


def _raft(config: NTLConfig, columns: NumberColumns) -> Term:
    grid = grid_columns(columns.values, config.raft_grid)

    def loss(tokens: NumberTokens, values: Tensor, grid: Tensor) -> Tensor:
        losses = raft_loss(tokens.logits, tokens.require_mass(), tokens.column, values, grid)
        # Other tokens are no answers.
        return losses * (grid[tokens.column] & tokens.require_layout().is_alone)

    return Term(loss, [columns.values, grid])


def _number(config: NTLConfig, columns: NumberColumns) -> Term:
    if columns.widths is None or columns.mark_kinds is None:
        raise ValueError("'number' reads whole numbers: it needs a `NumberSyntax`.")
    measure = NUMBER_ERRORS[config.number_error]

    def loss(tokens: NumberTokens, widths: Tensor, values: Tensor, mark_kinds: Tensor) -> Tensor:
        layout = tokens.require_layout()
        errors = expected_errors(tokens.watched, layout, widths, values, mark_kinds)
        return measure(errors, layout).masked_fill(~layout.is_readable, 0.0)

    return Term(loss, [columns.widths, columns.values, columns.mark_kinds])


_MAKERS: dict[str, Callable[[NTLConfig, NumberColumns], Term]] = {
    "was": _wasserstein,
    "mse": lambda config, columns: _lp(columns, 2.0),
    "mae": lambda config, columns: _lp(columns, 1.0),
    "lp": lambda config, columns: _lp(columns, config.p),
    "huber": _huber,
    "crps": lambda config, columns: Term(_by_column(crps_loss), [columns.values]),
    "energy": lambda config, columns: _kernel(energy_kernel(columns.values, config.energy_beta)),
    "mmd": lambda config, columns: _kernel(gaussian_kernel(columns.values, config.kernel_sigma)),
    "smmd": lambda config, columns: _kernel(smoothed_kernel(gaussian_kernel(columns.values, config.kernel_sigma))),
    "dist2": _dist2,
    "del": _del,
    "raft": _raft,
    "number": _number,
}
