"""Pictures of an evaluation in two processes."""

import numpy as np
import pytest

from ntl_hf.plots.beliefs import DigitBeliefs
from tests.plots.two_processes import evaluate
from tests.processes import run_module

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def test_rows_that_fill_up_the_last_batch_do_not_count(tmp_path):
    """Seven rows, two a process and batch: one is seen twice."""
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert evaluate(alone) == 1
    done = run_module("tests.plots.two_processes", [together], processes=2)
    assert done.returncode == 0, done.stderr
    assert len(list((together / "plots").iterdir())) == 4
    one, two = (DigitBeliefs.load(folder / "plots" / "000000-eval.json") for folder in (alone, together))
    assert one.count.sum() > 10
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_allclose(getattr(two, name), value, rtol=1e-6, err_msg=name)
