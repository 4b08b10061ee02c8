"""What the pictures are drawn from, worked by hand."""

import numpy as np
import pytest

from ntl_hf.compare.plots import curves, looks
from ntl_hf.compare.plots.answers import bins, digit_accuracy, digit_counts, in_bins
from ntl_hf.compare.results import Evaluation, Result
from ntl_hf.plots.panels import add_legend, make_figure
from tests.compare.hand import make_plan
from tests.compare.rows import make_rows


def test_digits_are_aligned_at_the_units_and_missing_ones_are_wrong():
    rows = make_rows([105, 5, None, -25.9, 1e22], [115, 15, 7, 25.5, 1e22])
    counts = digit_counts(rows)
    assert counts[:3].tolist() == [5, 4, 2] and len(counts) == 23
    # Units: all but the unreadable one; tens: 0 of 1, missing, 2 of 2, 0 of 0.
    assert digit_accuracy(rows, counts)[:3] == pytest.approx([4 / 5, 2 / 4, 2 / 2])


def test_no_digits_without_targets():
    assert not len(digit_counts(make_rows([1, 2], [None, None])))


def test_bins_by_size():
    rows = make_rows([0, 9, None, 90, 1000], [0, 8, 9, 99, 999])
    edges = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    right, median = in_bins(rows, edges)
    # |target| + 1 is 1, 9 | 10 | 100 | 1000.
    assert right.tolist() == [0.5, 0.0, 0.0, 0.0]
    assert median[0] == 0.5 and np.isnan(median[1]) and median[2:].tolist() == [9, 1]


@pytest.mark.parametrize(("largest", "width"), [(2.4, 0.5), (6.1, 1.0)])
def test_bins_are_wide_where_there_are_many(largest, width):
    edges = bins(np.array([0.0, largest]))
    assert np.allclose(np.diff(edges), width) and edges[-2] <= largest < edges[-1]


def test_sixteen_variants_look_different(tmp_path):
    plan = make_plan(tmp_path, {f"v{i}": {} for i in range(16)})
    styles = [tuple(look[key] for key in ("color", "marker", "ls")) for look in looks(plan).values()]
    assert len(set(styles)) == 16 and [style[0] for style in styles].count("black") == 1


def test_the_legend_fits_beside_one_panel(tmp_path):
    plan = make_plan(tmp_path, {f"v{i}": {} for i in range(20)})
    figure, panels = make_figure(1, 1)
    for variant, look in looks(plan).items():
        panels[0][0].plot([0, 1], [0, 1], label=variant, **look)
    add_legend(figure, panels, "note")
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.y0 > 0 and box.y1 <= figure.bbox.height


def test_error_against_likelihood(tmp_path):
    plan = make_plan(tmp_path, {"CE": {}, "CRPS": {}})

    def result(variant, seed, **metrics):
        return Result(variant, seed, {}, {}, [], {"interpolate": Evaluation(metrics, None, tmp_path)})

    likelihoods = {"CE": 1.0, "CRPS": 0.5}
    results = [
        result(name, seed, mae=3.0 + seed, cross_entropy=x) for name, x in likelihoods.items() for seed in (0, 2)
    ]
    (panel,) = curves.draw_trade_off(plan, results).axes
    points = {bars.get_label(): bars[0].get_xydata()[0].tolist() for bars in panel.containers}
    assert points == {"CE": [1.0, 4.0], "CRPS": [0.5, 4.0]}
    assert curves.draw_trade_off(plan, [result("CE", 0, mae=1.0)]) is None
