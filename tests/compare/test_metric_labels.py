"""How metrics are called, and which direction is better."""

import pytest

from ntl_hf.compare.metric_labels import (
    HIGHER,
    LOWER,
    METRIC_LABELS,
    NEITHER,
    check_metrics,
    label_of,
)
from ntl_hf.compare.summary import Difference


def test_decoded_metrics_are_named_after_those_of_the_answers():
    for name in ("mae", "r2", "unreadable", "number_accuracy"):
        own, decoded = label_of(name), label_of(f"decoded_{name}")
        assert decoded.label == f"decoded: {own.label}"
        assert (decoded.better, decoded.percent) == (own.better, own.percent)
    assert label_of("decoded_mae_charged").heading == "decoded: MAE, charged ↓"
    with pytest.raises(ValueError, match="Did you mean 'decoded_mae'"):
        check_metrics(["decodd_mae"])


def test_a_coverage_is_right_or_wrong_but_never_better():
    assert label_of("coverage_80").heading == "coverage of 80 % intervals (%)"
    significant = {"sd": 0.01, "seeds": 3, "cells": 3, "p_holm": 0.001}
    for change in (0.2, -0.2):
        assert not Difference(mean=change, **significant).is_better("coverage_80")
        assert Difference(mean=change, **significant).is_better("crps") == (change < 0)


def test_every_direction_has_its_arrow():
    arrows = {HIGHER: " ↑", LOWER: " ↓", NEITHER: ""}
    assert all(each.heading == each.label + arrows[each.better] for each in METRIC_LABELS.values())
