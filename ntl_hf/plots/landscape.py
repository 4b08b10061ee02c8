"""The loss landscape: every loss for each digit that the model could be certain of."""

from collections.abc import Sequence
from typing import Any

from ..settings.errors import did_you_mean
from ..settings.losses import LOSSES

SQUASH_FACTOR = 2.0
# As the command names them: cross entropy, the number losses, and WAS with squashed distances.
NAMES = ("ce", "was", "squashed", *(name for name in LOSSES if name != "was"))
DEFAULT_NAMES = ("ce", "was", "squashed", "mse", "mae", "huber", "crps")


def check_landscape(names: Sequence[str], true_digit: int) -> None:
    """Raise `ValueError` for an unknown loss, and for what is no digit."""
    if not 0 <= true_digit <= 9:
        raise ValueError(f"{true_digit} is no digit: choose 0 to 9.")
    for name in names:
        if name not in NAMES:
            raise ValueError(f"'{name}' is no loss.{did_you_mean(name, NAMES)} Choose from {', '.join(NAMES)}.")


def landscape(names: Sequence[str], true_digit: int) -> dict[str, list[float]]:
    """The loss by the digit that the model is certain of, ten values each, in the loss's own unit.

    "Certain" leaves 0.0001 on every other digit, so that cross entropy has an end. "squashed" is `was` with a squash
    factor of 2, the others have their default settings.

    Args:
        names: of losses, see `NAMES`.
        true_digit: 0 to 9.

    Raises:
        ValueError: an unknown loss, or no digit.
    """
    check_landscape(names, true_digit)
    import torch

    from .digit_losses import CE, DigitLosses

    squashed: dict[str, Any] = {"loss": "was", "squash_factor": SQUASH_FACTOR}
    losses = DigitLosses({name: squashed if name == "squashed" else {"loss": name} for name in names if name != CE})
    return {name: losses(name, torch.eye(10), true_digit).tolist() for name in names}


def draw_landscape(names: Sequence[str] = DEFAULT_NAMES, true_digit: int = 4) -> Any:
    """A matplotlib figure of `landscape`, each loss over its largest value, which the legend names.

    Losses that are the same to two digits share a line.

    Raises:
        ValueError: an unknown loss, or no digit.
    """
    found = landscape(names, true_digit)
    from .panels import LINES, MARKERS, color, make_figure

    figure, [[panel]] = make_figure(1, 1)
    figure.set_size_inches(6.4, 4.8)
    for i, (label, heights) in enumerate(_lines(found).items()):
        look = {"color": color(i), "marker": MARKERS[i % len(MARKERS)], "ls": LINES[i % len(LINES)]}
        panel.plot(range(10), heights, label=label, alpha=0.85, ms=5, lw=1.8, **look)
    panel.axvline(true_digit, color="0.6", lw=0.8, zorder=0)
    panel.set(xlabel=f"Digit that the model is certain of; {true_digit} is true", xticks=range(10))
    panel.set(ylabel="Loss / its largest here", ylim=(-0.03, 1.05))
    figure.legend(loc="outside upper center", ncols=2, frameon=False, handlelength=3)
    return figure


def _lines(found: dict[str, list[float]]) -> dict[str, list[float]]:
    """Label to heights, each loss over its largest value; losses that look the same share a line."""
    same: dict[tuple[float, ...], list[str]] = {}
    for name, values in found.items():
        shown = tuple(round(value / max(values), 2) for value in values)
        same.setdefault((*shown, float(f"{max(values):.2g}")), []).append(name)
    return {
        f"{', '.join(names)} (at most {max(found[names[0]]):.2g})": [v / max(found[names[0]]) for v in found[names[0]]]
        for names in same.values()
    }
