"""Two processes x two micro-batches take the same five steps as one process with the whole batch."""

import pytest

from tests.build import relative_difference
from tests.invariants.cases import CASES, COMPONENTS, DATA_PARALLEL, MODES, STEPS, WRAPPERS
from tests.invariants.marks import all_marked, marked


@pytest.mark.parametrize(("mode", "name"), all_marked())
def test_same_parameters_and_logs(mode, name, runs):
    ours, alone = runs.trained(mode, name), runs.alone(name)
    check_mode(mode, ours, alone)
    assert ours["is_fused"] == alone["is_fused"] == (CASES[name].head == "fused")
    assert relative_difference(ours["parameters"], alone["parameters"]) < 1e-6
    assert relative_difference(alone["started"], alone["parameters"]) > 1e-3, "nothing was learnt"
    assert len(ours["logs"]) == STEPS
    for log, wanted in zip(ours["logs"], alone["logs"], strict=True):
        for key in (*COMPONENTS, "ntl_weight"):
            assert log[key] == pytest.approx(wanted[key], rel=1e-5), key
    for key in COMPONENTS:
        found, wanted = ours["evaluation"][f"eval_{key}"], alone["evaluation"][f"eval_{key}"]
        assert found == pytest.approx(wanted, rel=1e-5), key


def check_mode(mode, ours, alone):
    """An exit code of 0 proves nothing: several stock settings quietly train something else."""
    assert ours["world_size"] == 2 and ours["wrapper"].startswith(WRAPPERS[mode])
    assert ours["stage"] == {"zero2": 2, "zero3": 3}.get(mode)
    trained = sum(p.numel() for p in alone["parameters"].values())
    if mode == "ddp":
        assert ours["local"] == alone["local"]
    elif mode == "zero2":
        assert ours["local"] == pytest.approx(trained / 2, rel=0.01), "the optimizer is not partitioned"
    elif mode == "tp":  # norms, and the inner sides of adapters, are whole in every process
        assert 0.5 <= ours["local"] / alone["local"] < 0.56, "the layers are not split"
    else:
        assert ours["local"] == alone["local"] // 2, "the parameters are not sharded"


@pytest.mark.parametrize(("mode", "name"), [marked(mode, "sft") for mode in MODES])
def test_processes_saw_what_the_test_is_about(mode, name, runs):
    first, second = (each["numbers"] for each in runs.trained(mode, name)["each"])
    assert len(first) == len(second) == 2 * STEPS
    if mode in DATA_PARALLEL:
        assert second[2:4] == [0, 0] and sum(first[2:4]) > 0, "one process has no number in the second step"
        assert (0 in first[6:8]) != (0 in second[6:8]), "one micro-batch of the fourth step has none"
        assert len({*first, *second}) > 4, "numbers are ragged"
    else:
        assert first == second


@pytest.mark.parametrize(("mode", "name"), [marked(mode, "sft") for mode in MODES])
def test_the_weight_follows_one_schedule(mode, name, runs):
    first, second = (each["weights"] for each in runs.trained(mode, name)["each"])
    assert first == second
    assert first == pytest.approx([0.0, 0.5, 1.0, 0.75, 0.25])


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if case.is_core else pytest.mark.distributed) for n, case in CASES.items()]
)
def test_accumulation_changes_nothing(name, runs):
    whole, accumulated = runs.alone(name), runs.alone(name, size=1, accumulation=8)
    assert relative_difference(accumulated["parameters"], whole["parameters"]) < 1e-6


def test_the_cases_cover_every_trainer():
    assert {case.trainer.__name__ for case in CASES.values()} == {"NTLTrainer", "NTLSeq2SeqTrainer", "NTLSFTTrainer"}
    assert {case.head for case in CASES.values()} == {"fused", "logits"}
