"""Labels of the metrics that an evaluation writes: headings of tables, directions and units."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..settings.errors import did_you_mean
from ..settings.recipe_reader import read_recipe

HIGHER, LOWER, NEITHER = 1, -1, 0
_ARROWS = {HIGHER: "↑", LOWER: "↓", NEITHER: ""}
_BETTER = {"higher": HIGHER, "lower": LOWER, "neither": NEITHER}


@dataclass(frozen=True)
class MetricLabel:
    """The heading and the unit of a metric.

    Attributes:
        label: heading of its column.
        better: `HIGHER`, `LOWER`, or `NEITHER` where a value is right or wrong but not better the further it goes: a
            difference in it is never called an improvement.
        percent: a share, shown times 100.
        decimals: of all values; None leaves it to their size.
    """

    label: str
    better: int
    percent: bool = False
    decimals: int | None = None

    @property
    def heading(self) -> str:
        """The label with an arrow to where it is better."""
        return f"{self.label} {_ARROWS[self.better]}".rstrip()

    def show(self, value: float, like: float | None = None, plus: bool = False) -> str:
        """A value in the metric's unit, to the precision of `like`, or its own: three significant digits or more."""
        size, sign = abs(value if like is None else like), "+" if plus else ""
        if self.decimals is None and size >= 1e5 and not self.percent:
            return f"{value:{sign}.2e}"
        decimals = self.decimals if self.decimals is not None else 1 if self.percent else _decimals(size)
        return f"{100 * value if self.percent else value:{sign}.{decimals}f}"


def _decimals(size: float) -> int:
    return next((decimals for limit, decimals in ((1000, 0), (100, 1), (10, 2)) if size >= limit), 3)


def make_labels(content: Mapping[str, Mapping[str, Any]]) -> dict[str, MetricLabel]:
    """The labels of a file: name of the metric to the fields of its label, `better` in words."""
    return {name: MetricLabel(**{**each, "better": _BETTER[each["better"]]}) for name, each in content.items()}


METRIC_LABELS = make_labels(read_recipe(Path(__file__).with_name("metric_labels.yaml")))
# Of number-aware decoding, beside those of the generated answers.
DECODED = "decoded_"
_ERRORS = ("mae", "mse", "rmse", "r2", "median_ae", "log_mae", "log_r2", "mape", "pearson", "spearman")
METRIC_LABELS |= {
    DECODED + name: replace(METRIC_LABELS[name], label=f"decoded: {METRIC_LABELS[name].label}")
    for name in ("number_accuracy", "unreadable", *_ERRORS)
}
# Errors with unreadable answers charged, beside those over the readable ones alone.
CHARGED = "_charged"
DEFAULT_METRICS = ("number_accuracy", "unreadable", "mae", "mae_charged", "median_ae", "r2")


def label_of(name: str) -> MetricLabel:
    """The metric of that name; `mae_charged` is the MAE that charges unreadable answers."""
    if name in METRIC_LABELS:
        return METRIC_LABELS[name]
    base = METRIC_LABELS[name.removesuffix(CHARGED)]
    return replace(base, label=f"{base.label}, charged")


def check_metrics(names: Iterable[str]) -> None:
    """Raise `ValueError` for the first name that no evaluation writes."""
    for name in names:
        if not isinstance(name, str) or name.removesuffix(CHARGED) not in METRIC_LABELS:
            hint = did_you_mean(name, METRIC_LABELS) or f" There are: {', '.join(METRIC_LABELS)}."
            raise ValueError(f"'metrics' has {name!r}, which is unknown.{hint}")
