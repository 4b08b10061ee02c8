"""Draw what each loss charges for one digit, as `mistakes.png` and `beliefs.png` into a folder. Needs matplotlib.

    pip install 'ntl-hf[plots]'
    python examples/loss_landscape.py docs/losses

`mistakes.png`: the true digit is 4 and the model is certain of one digit. `beliefs.png`: mass moves from an even
spread to the truth; from 5 to 3, with 4 true; and from 5 to 3, with 3 true seven times in ten. For losses and a digit
of your choice: `ntl-hf plot landscape --true_digit 7 --losses ce was mse`.
"""

import sys
from pathlib import Path
from typing import Any

import torch

from ntl_hf.plots.digit_losses import CE, DigitLosses
from ntl_hf.plots.panels import COLORS, make_figure

# Column of panels -> label -> settings and look. "raft" is "mse" where all mass is on digits.
_BLUE, _ORANGE, _GREEN, _PINK, _, _YELLOW = COLORS
FAMILIES: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "Of the expected value": {
        "mse, raft": ({"loss": "mse"}, {"color": _BLUE}),
        "mae": ({"loss": "mae"}, {"color": _ORANGE, "lw": 3, "alpha": 0.6}),
        "huber (delta 1)": ({"loss": "huber"}, {"color": _GREEN, "ls": "--"}),
        "lp (p 3)": ({"loss": "lp", "p": 3.0}, {"color": _PINK, "ls": "-."}),
        "number (relative)": ({"loss": "number"}, {"color": _YELLOW, "ls": ":", "lw": 2.5}),
    },
    "Of the distribution": {
        "was": ({"loss": "was"}, {"color": _BLUE, "lw": 3, "alpha": 0.6}),
        "crps": ({"loss": "crps"}, {"color": _ORANGE}),
        "energy (beta 1.5)": ({"loss": "energy", "energy_beta": 1.5}, {"color": _GREEN, "ls": "--"}),
        "mmd": ({"loss": "mmd"}, {"color": _PINK, "ls": "-."}),
        "smmd": ({"loss": "smmd"}, {"color": _YELLOW, "ls": ":", "lw": 2.5}),
    },
    "Entropies": {
        "dist2": ({"loss": "dist2"}, {"color": _GREEN, "ls": "--"}),
        "del": ({"loss": "del"}, {"color": _PINK, "ls": "-."}),
    },
}
_CE_LABEL, _CE_LOOK = "cross entropy", {"color": "black", "lw": 1.2}


def draw_mistakes(losses: DigitLosses) -> Any:
    """4 is true, and the model is certain of each digit in turn."""
    figure, panels = _figure(1)
    for panel, name, label, look in _lines(panels[0]):
        found = losses(name, torch.eye(10), 4)
        panel.plot(range(10), found / found.max(), label=label, marker="o", ms=3.5, **look)
        panel.set(xlabel="Digit that the model is certain of; 4 is true", xticks=range(10))
    panels[0][0].set_ylabel("Loss / its largest here")
    return _with_legends(figure, panels)


def draw_beliefs(losses: DigitLosses) -> Any:
    """Three paths of mass, a row each."""
    figure, panels = _figure(3)
    digit, part = torch.eye(10), torch.linspace(0, 1, 101)
    share = part[:, None]
    spread, between = (1 - share) / 10 + share * digit[4], (1 - share) * digit[5] + share * digit[3]
    for panel, name, label, look in _lines(panels[0]):
        found = losses(name, spread, 4)
        panel.plot(part, found / found.max(), label=label, **look)
        panel.set(xlabel="4 is true: from an even spread (0) to certainty of 4 (1)")
    for panel, name, _, look in _lines(panels[1]):
        found = losses(name, between, 4)
        panel.plot(part, found / found.max(), **look)
        panel.set(xlabel="4 is true: probability of 3, the rest on 5")
    for panel, name, _, look in _lines(panels[2]):
        found = 0.7 * losses(name, between, 3) + 0.3 * losses(name, between, 5)
        height = (found - found.min()) / (found.max() - found.min())
        panel.plot(part, height, **look)
        panel.plot(part[found.argmin()], 0, "o", color=look["color"], clip_on=False, zorder=4)
        panel.axvline(0.7, color="0.6", lw=0.8, zorder=0)
        panel.set(xlabel="3 is true with 0.7, 5 with 0.3: probability of 3, the rest on 5")
    heights = ["Loss / its largest here"] * 2 + ["Mean loss, from least to largest"]
    for row, label in zip(panels, heights, strict=True):
        row[0].set_ylabel(label)
    return _with_legends(figure, panels)


def _figure(rows: int) -> tuple[Any, Any]:
    figure, panels = make_figure(rows, len(FAMILIES), sharey=True)
    # The legends stand above the panels, not beside them.
    figure.set_size_inches(13.5, 3.1 * rows + 1.1)
    return figure, panels


def _lines(row: Any) -> Any:
    """Panel, name, label and look of every line of a row: cross entropy is in all panels."""
    for panel, family in zip(row, FAMILIES.values(), strict=True):
        yield panel, CE, _CE_LABEL, _CE_LOOK
        for label, (_, look) in family.items():
            yield panel, label, label, look


def _with_legends(figure: Any, panels: Any) -> Any:
    for panel, family in zip(panels[0], FAMILIES, strict=True):
        panel.set_title(family, pad=56)
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize="small")
    return figure


def main(folder: Path) -> None:
    losses = DigitLosses({label: how for each in FAMILIES.values() for label, (how, _) in each.items()})
    folder.mkdir(parents=True, exist_ok=True)
    draw_mistakes(losses).savefig(folder / "mistakes.png", dpi=100)
    draw_beliefs(losses).savefig(folder / "beliefs.png", dpi=100)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
