"""What is written down of a cell."""

from pathlib import Path

import pytest

from .hand import make_cell, make_plan

FILES = ("chat_template_path", "generation_config", "deepspeed", "fsdp_config", "accelerator_config")
PATHS = ("model_name_or_path", "data_path", "dataset_name", *FILES)


def public_recipe(folder, **recipe):
    return make_cell(make_plan(folder), "CE", 0, recipe=recipe).public_recipe


@pytest.mark.parametrize("key", PATHS)
def test_a_local_path_is_written_so_that_it_holds_in_any_folder(key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("here.json").touch()
    assert public_recipe(tmp_path, **{key: "here.json"}) == {key: str(tmp_path / "here.json")}
    assert public_recipe(tmp_path, **{key: "user/model"}) == {key: "user/model"}


def test_values_that_are_no_paths_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("auto").mkdir()
    values = {
        "accelerator_config": '{"split_batches": true, "%s": 1}' % ("x" * 5000),
        "fsdp_config": {"min_num_params": 1},
        "deepspeed": "",
        "resume_from_checkpoint": "auto",
    }
    assert public_recipe(tmp_path, **values) == values
