"""What several processes save is read by one, and by several others that go on with it."""

import pytest
import torch
from peft import PeftModel

from tests.build import relative_difference
from tests.invariants.cases import CASES
from tests.invariants.marks import all_marked
from tests.invariants.training import load, load_base, probe


@pytest.mark.parametrize(("mode", "name"), all_marked())
def test_saved_models_open_in_one_process(mode, name, runs):
    case, ours, folder = CASES[name], runs.trained(mode, name), runs.folder_of(mode, name)
    saved = folder / "saved" / name
    model = PeftModel.from_pretrained(load_base(folder, case.architecture), saved) if case.adapter else load(saved)
    found = dict(model.named_parameters())
    wanted = runs.alone(name)["parameters"]
    assert relative_difference({n: found[n].detach() for n in wanted}, wanted) < 1e-6
    torch.testing.assert_close(probe(model, case.architecture == "t5"), ours["logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("mode", "name"), all_marked(slow=True, without=("tp",)))
def test_new_processes_go_on_from_a_checkpoint(mode, name, runs):
    whole, resumed = runs.trained(mode, name), runs.resumed(mode, name)
    assert resumed["wrapper"] == whole["wrapper"] and resumed["local"] == whole["local"]
    assert relative_difference(resumed["parameters"], whole["parameters"]) < 1e-6
    # Two batches each for the two steps that were left, and one that may be fetched ahead.
    assert all(len(each["numbers"]) in (4, 5) for each in resumed["each"])
    assert [each["weights"] for each in resumed["each"]] == [each["weights"] for each in whole["each"]]
    checkpoint = runs.folder_of(mode, name) / "runs" / name / "checkpoint-3"
    assert len(list(checkpoint.rglob("ntl_config.json"))) == 1
