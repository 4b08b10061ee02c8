"""What the figures show: numbers, labels and counts, read back from the drawn artists."""

import numpy as np
import pytest

from ntl_hf.plots.beliefs import DigitBeliefs
from ntl_hf.plots.figures import (
    DRAWERS,
    draw_calibration,
    draw_confusion,
    draw_positions,
)

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


@pytest.fixture
def beliefs() -> DigitBeliefs:
    """1,500,000 times 3, believed 3 with 0.75 and 8 with 0.25; and twice 9."""
    distribution = np.full((10, 10), np.nan)
    distribution[3], distribution[9] = 0, 0
    distribution[3, [3, 8]], distribution[9, 9] = (0.75, 0.25), 1
    count, bins, none = np.zeros(10), np.zeros(10), np.full(10, np.nan)
    count[[3, 9]] = bins[[4, 9]] = 1_500_000, 2
    expected, true = none.copy(), none.copy()
    expected[[4, 9]], true[[4, 9]] = (4.25, 9), (3, 9)
    positions, error = np.zeros(8), np.full(8, np.nan)
    positions[[0, 2]], error[[0, 2]] = (1_500_000, 2), (1.25, 0.5)
    return DigitBeliefs(1200, "eval", distribution, count, bins, expected, true, positions, error)


def test_confusion(beliefs):
    figure = draw_confusion(beliefs)
    panel = figure.axes[0]
    np.testing.assert_array_equal(panel.images[0].get_array().filled(np.nan), beliefs.distribution)
    assert {(text.get_position(), text.get_text()) for text in panel.texts} == {
        ((3, 3), "75"),
        ((8, 3), "25"),
        ((9, 9), "100"),
    }
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels[3] == "3 (n=1.5M)" and labels[4] == "4 (n=0)" and labels[9] == "9 (n=2)"
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("Predicted digit", "True digit")


def test_calibration(beliefs):
    top, bottom = draw_calibration(beliefs).axes
    diagonal, curve = top.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert (curve.get_xdata().tolist(), curve.get_ydata().tolist()) == ([4.25, 9.0], [3.0, 9.0])
    assert [bar.get_height() for bar in bottom.patches] == beliefs.bin_count.tolist()


def test_positions(beliefs):
    top, bottom = draw_positions(beliefs).axes
    assert [bar.get_height() for bar in top.patches] == [1.25, 0, 0.5]
    assert [bar.get_height() for bar in bottom.patches] == [1_500_000, 0, 2]
    assert [text.get_text() for text in bottom.texts] == ["1.5M", "0", "2"]


@pytest.mark.parametrize("name", DRAWERS)
def test_every_picture_says_where_it_is_from(name, beliefs, tmp_path):
    figure = DRAWERS[name](beliefs)
    assert figure.get_suptitle() == "eval, step 1,200: 1,500,002 digits"
    figure.savefig(tmp_path / "a.png")
    from matplotlib.image import imread

    assert imread(tmp_path / "a.png").std() > 0.05


@pytest.mark.parametrize("name", DRAWERS)
def test_a_set_without_digits_is_drawn_too(name, tmp_path):
    from ntl_hf.plots.beliefs import SHAPES

    nothing = [0.0] * sum(int(np.prod(shape)) for shape in SHAPES)
    DRAWERS[name](DigitBeliefs.from_sums(nothing, 0, "eval")).savefig(tmp_path / "a.png")


def test_no_state_of_pyplot_is_left(beliefs):
    import subprocess
    import sys

    code = (
        "import sys; from ntl_hf.plots.landscape import draw_landscape; draw_landscape(['ce', 'was'], 3);"
        "import ntl_hf.plots.figures; print('matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.split() == ["False"], run.stderr
