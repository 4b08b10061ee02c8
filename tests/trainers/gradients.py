"""The gradient of an optimizer step against the reference, and the ways in which a step is made up."""

from typing import Any

import pytest

from tests.build import first_step, relative_difference
from tests.reference import step_gradients

TOLERANCE = 1e-5
# Rows of a micro-batch, and micro-batches.
SPREADS = {"8 x 1": (8, 1), "4 x 2": (4, 2), "1 x 8": (1, 8)}
PACKINGS = {
    "packed": {"packing": True, "max_length": 32, "packing_strategy": "wrapped"},
    "packed bfd": {"packing": True, "max_length": 32},
    "padding-free": {"padding_free": True, "max_length": None},
    "whole sequence": {"completion_only_loss": False},
}


def check_against_reference(trainer: Any, model: Any, **reference_options: Any) -> None:
    """Train a step, and compare gradients and logs with those of float64 autograd."""
    gradients, batches = first_step(trainer)
    assert trainer.head_choice.is_fused is (trainer.ntl_config.head != "logits")
    wanted, values = step_gradients(model, batches, **reference_options)
    assert relative_difference(gradients, wanted) < TOLERANCE
    logged = trainer.state.log_history[0]
    for name, value in values.items():
        assert logged[name] == pytest.approx(value, rel=1e-5), name
