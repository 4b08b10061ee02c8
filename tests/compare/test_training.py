"""What is found out about an evaluation before its cell is trained."""

import json

import pytest

from ntl_hf.compare import training
from ntl_hf.compare.processes import RefusedError
from tests.compare.hand import make_cell, make_plan


@pytest.fixture
def make(tmp_path):
    def make(row, **evaluation):
        data = tmp_path / "data"
        data.mkdir()
        (data / "test.jsonl").write_text(json.dumps(row) + "\n")
        settings = {"dataset_name": str(data), **evaluation}
        plan = make_plan(tmp_path / "out", evaluations={"test": settings})
        return make_cell(plan, "CE", 0, recipe={"use_cpu": True})

    return make


def test_data_that_can_be_evaluated(make):
    training._check_evaluation_data(make({"prompt": "1 + 1 =", "completion": " 2"}))


def test_columns_that_cannot_be_evaluated_are_refused(make):
    cell = make({"messages": [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]})
    with pytest.raises(RefusedError, match="evaluation 'test': An evaluation needs the columns 'prompt'"):
        training._check_evaluation_data(cell)


def test_tasks_of_lm_eval_are_looked_up(make, monkeypatch):
    def prepare(names, num_fewshot, folder):
        raise ValueError(f"lm_eval has no task '{names[0]}'")

    monkeypatch.setattr("ntl_hf.runs.evaluate.prepare_tasks", prepare)
    cell = make({"prompt": "1 + 1 =", "completion": " 2"}, lm_eval_tasks=["gsm8kk"])
    with pytest.raises(RefusedError, match="evaluation 'test': lm_eval has no task 'gsm8kk'"):
        training._check_evaluation_data(cell)
