"""The metrics that an evaluation writes: how they are called in a table, and which direction is better."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..settings.errors import did_you_mean

HIGHER, LOWER, NEITHER = 1, -1, 0
_ARROWS = {HIGHER: "↑", LOWER: "↓", NEITHER: ""}


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Attributes:
        label: heading of its column.
        better: `HIGHER`, `LOWER`, or `NEITHER` where a value is right or wrong but not better the further it goes: a
            difference in it is never called an improvement.
        percent: a share, shown times 100.
    """

    label: str
    better: int
    percent: bool = False

    @property
    def heading(self) -> str:
        """The label with an arrow to where it is better."""
        return f"{self.label} {_ARROWS[self.better]}".rstrip()

    def show(self, value: float, like: float | None = None, plus: bool = False) -> str:
        """A value in the metric's unit, to the precision of `like`, or its own: three significant digits or more."""
        size = abs(value if like is None else like)
        sign = "+" if plus else ""
        if self.percent:
            return f"{100 * value:{sign}.1f}"
        if size >= 1e5:
            return f"{value:{sign}.2e}"
        return f"{value:{sign}.{_decimals(size)}f}"


def _decimals(size: float) -> int:
    return next((decimals for limit, decimals in ((1000, 0), (100, 1), (10, 2)) if size >= limit), 3)


METRICS = {
    "sequence_accuracy": Metric("exact text (%)", HIGHER, percent=True),
    "number_accuracy": Metric("right numbers (%)", HIGHER, percent=True),
    "unreadable": Metric("unreadable (%)", LOWER, percent=True),
    "missing": Metric("no answer (%)", LOWER, percent=True),
    "mae": Metric("MAE", LOWER),
    "mse": Metric("MSE", LOWER),
    "rmse": Metric("RMSE", LOWER),
    "r2": Metric("R2", HIGHER),
    "median_ae": Metric("median abs. error", LOWER),
    "log_mae": Metric("log MAE", LOWER),
    "log_r2": Metric("log R2", HIGHER),
    "pearson": Metric("Pearson", HIGHER),
    "spearman": Metric("Spearman", HIGHER),
    "mape": Metric("MAPE (%)", LOWER, percent=True),
    "bleu": Metric("BLEU", HIGHER),
    "rouge1": Metric("ROUGE-1", HIGHER),
    "rouge2": Metric("ROUGE-2", HIGHER),
    "rouge_l": Metric("ROUGE-L", HIGHER),
    "cross_entropy": Metric("CE (nats/token)", LOWER),
    "perplexity": Metric("perplexity", LOWER),
    "token_accuracy": Metric("right tokens (%)", HIGHER, percent=True),
    "number_mae": Metric("digit MAE", LOWER),
    "number_mass": Metric("number mass (%)", HIGHER, percent=True),
    "digit_nll": Metric("digit NLL (nats)", LOWER),
    "digit_ece": Metric("digit ECE (%)", LOWER, percent=True),
    "crps": Metric("CRPS", LOWER),
    "coverage_80": Metric("coverage of 80 % intervals (%)", NEITHER, percent=True),
    "interval_width_80": Metric("width of 80 % intervals", NEITHER),
    "decoded_unreadable_mass": Metric("unreadable mass (%)", LOWER, percent=True),
}
# Of number-aware decoding, beside those of the generated answers.
DECODED = "decoded_"
_OF_NUMBERS = (
    "number_accuracy",
    "unreadable",
    "mae",
    "mse",
    "rmse",
    "r2",
    "median_ae",
    "log_mae",
    "log_r2",
    "mape",
    "pearson",
    "spearman",
)
METRICS |= {
    DECODED + name: Metric(f"decoded: {METRICS[name].label}", METRICS[name].better, METRICS[name].percent)
    for name in _OF_NUMBERS
}
# Errors with unreadable answers charged, beside those over the readable ones alone.
CHARGED = "_charged"
DEFAULT_METRICS = ("number_accuracy", "unreadable", "mae", "mae_charged", "median_ae", "r2")


def metric(name: str) -> Metric:
    """The metric of that name; `mae_charged` is the MAE that charges unreadable answers."""
    if name in METRICS:
        return METRICS[name]
    base = METRICS[name.removesuffix(CHARGED)]
    return Metric(f"{base.label}, charged", base.better, base.percent)


def check_metrics(names: Iterable[str]) -> None:
    """Raise `ValueError` for the first name that no evaluation writes."""
    for name in names:
        if not isinstance(name, str) or name.removesuffix(CHARGED) not in METRICS:
            hint = did_you_mean(name, METRICS) or f" There are: {', '.join(METRICS)}."
            raise ValueError(f"'metrics' has {name!r}, which is unknown.{hint}")
