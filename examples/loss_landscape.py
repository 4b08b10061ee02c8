"""Draw what each loss charges for one digit, as `mistakes.png` and `beliefs.png` into a folder. Needs matplotlib.

    pip install 'ntl-hf[plots]'
    python examples/loss_landscape.py docs/losses

`mistakes.png`: the true digit is 4 and the model is certain of one digit. `beliefs.png`: mass moves from an even
spread to the truth; from 5 to 3, with 4 true; and from 5 to 3, with 3 true seven times in ten. For losses and a digit
of your choice: `ntl-hf plot landscape --true_digit 7 --losses ce was mse`.
"""

import sys
from pathlib import Path

from ntl_hf.plots.families import draw_beliefs, draw_mistakes, family_losses


def main(folder: Path) -> None:
    losses = family_losses()
    folder.mkdir(parents=True, exist_ok=True)
    draw_mistakes(losses).savefig(folder / "mistakes.png", dpi=100)
    draw_beliefs(losses).savefig(folder / "beliefs.png", dpi=100)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
