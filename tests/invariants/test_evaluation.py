"""Evaluation without training before it: of a checkpoint, say."""

import pytest

from tests.invariants.cases import COMPONENTS, cases_of
from tests.invariants.marks import marked

# The stock trainer evaluates with ZeRO-3 alone of DeepSpeed's stages; FSDP2 needs an optimizer beside the model.
MODES = ("ddp", "zero3")


@pytest.mark.parametrize(
    ("mode", "name"), [marked(mode, name, slow=True) for mode in MODES for name in cases_of(mode, core=True)]
)
def test_components_are_those_of_one_process(mode, name, runs):
    ours, alone = runs.evaluated(mode, name), runs.evaluated(None, name)
    assert not ours["is_training"]
    for key in COMPONENTS:
        assert ours["evaluation"][f"eval_{key}"] == pytest.approx(alone["evaluation"][f"eval_{key}"], rel=1e-5), key
