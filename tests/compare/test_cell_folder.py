"""What is finished is not done again, and what was made otherwise is not gone on with."""

import dataclasses
import json
import math

import pytest

from ntl_hf.compare import cell_folder
from ntl_hf.compare.cell_folder import (
    CELL,
    EVALUATION_SETTINGS,
    METRICS_FILE,
    TRAINING,
    read_json,
    write_json,
)
from ntl_hf.compare.results import read_results
from tests.compare.hand import make_cell, make_cells, make_plan, write_cell
from tests.elsewhere import locked_elsewhere


@pytest.fixture
def cell(tmp_path):
    """A finished one."""
    cell = make_cell(make_plan(tmp_path), "NTL-WAS 0.3", 0)
    write_cell(cell, [1], [1], {"mae": 0.0})
    return cell


def test_a_finished_cell(cell):
    cell_folder.check([cell])
    assert cell_folder.is_finished(cell) and cell_folder.is_trained(cell) and not cell_folder.missing_evaluations(cell)


def test_a_cell_that_was_not_begun(tmp_path):
    cell = make_cells(make_plan(tmp_path))[0]
    cell_folder.check([cell])
    assert not cell_folder.is_trained(cell) and not cell_folder.is_finished(cell)


def test_an_interrupted_training_goes_on(cell):
    write_json(cell.folder / TRAINING, {"settings": cell.settings, "finished": None})
    (cell.folder / CELL).unlink()
    (cell.folder / "ntl_config.json").unlink()
    cell_folder.check([cell])
    assert not cell_folder.is_trained(cell) and not cell_folder.is_finished(cell)


def test_another_evaluation_is_all_that_is_left_to_do(cell):
    more = dataclasses.replace(cell, evaluations={**cell.evaluations, "extrapolate": {}})
    cell_folder.check([more])
    assert cell_folder.is_trained(more) and not cell_folder.is_finished(more)
    assert cell_folder.missing_evaluations(more) == ["extrapolate"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_steps": 5}, "`max_steps` was 4 and is now 5"),
        ({"learning_rate": 0.1}, "`learning_rate` was not set and is now 0.1"),
    ],
)
def test_other_settings_are_refused(cell, changes, message):
    other = dataclasses.replace(cell, settings={**cell.settings, **changes})
    with pytest.raises(ValueError, match=message) as error:
        cell_folder.check([other])
    assert "The cell 'NTL-WAS 0.3, seed 0'" in str(error.value) and str(cell.folder) in str(error.value)


def test_other_settings_of_an_evaluation_are_refused(cell):
    other = dataclasses.replace(cell, evaluations={"interpolate": {"dataset_test_split": "extrapolate"}})
    with pytest.raises(ValueError, match="The evaluation 'interpolate' of the cell"):
        cell_folder.check([other])
    for path in cell.evaluation_folder("interpolate").iterdir():
        path.unlink()
    cell_folder.check([other])
    assert cell_folder.missing_evaluations(other) == ["interpolate"]


def test_another_loss_than_the_cell_says_is_refused(cell):
    path = cell.folder / "ntl_config.json"
    path.write_text(json.dumps(read_json(path) | {"loss": "mse"}))
    with pytest.raises(ValueError, match="was trained with `ntl_loss` 'mse'"):
        cell_folder.check([cell])
    path.unlink()
    with pytest.raises(ValueError, match=r"has no ntl_config\.json"):
        cell_folder.check([cell])


def test_the_head_is_no_part_of_the_loss(cell):
    path = cell.folder / "ntl_config.json"
    path.write_text(json.dumps(read_json(path) | {"head": "logits"}))
    cell_folder.check([cell])


@pytest.mark.parametrize("mark", ["model.safetensors", "checkpoint-3"])
def test_a_folder_that_holds_something_else_is_refused(tmp_path, mark):
    cell = make_cells(make_plan(tmp_path))[0]
    cell.folder.mkdir(parents=True)
    (cell.folder / mark).touch()
    with pytest.raises(ValueError, match="holds something else"):
        cell_folder.check([cell])


@pytest.mark.parametrize("name", [CELL, TRAINING, f"evaluation/interpolate/{EVALUATION_SETTINGS}"])
def test_damaged_files_are_named(cell, name):
    (cell.folder / name).write_text("{")
    with pytest.raises(ValueError, match="is not valid JSON"):
        cell_folder.check([cell])
        cell_folder.is_finished(cell)


@pytest.mark.parametrize("content", ["[]", "3", '{"settings": 3, "finished": null}', '{"settings": {}}'])
def test_a_training_that_cannot_be_read_is_named(cell, content):
    (cell.folder / TRAINING).write_text(content)
    for read in (lambda: cell_folder.check([cell]), lambda: cell_folder.is_finished(cell)):
        with pytest.raises(ValueError, match=f"{TRAINING} must hold .*emove .*run the command again"):
            read()


@pytest.mark.parametrize("metrics", [3, {"mae": 3}, *({"mae": {"value": x}} for x in (math.nan, "1", True, 10**400))])
def test_metrics_that_cannot_be_read_are_named(cell, metrics):
    folder = cell.evaluation_folder("interpolate")
    (folder / METRICS_FILE).write_text(json.dumps({"metrics": metrics}))
    with pytest.raises(
        ValueError, match=f"{METRICS_FILE} must hold .*metrics.*remove the folder and run the command again"
    ):
        read_results([cell])


def test_two_comparisons_at_once_are_refused(tmp_path):
    folder = tmp_path / "new"
    with (
        locked_elsewhere(folder),
        pytest.raises(ValueError, match="new: another `ntl-hf compare` is at work"),
        cell_folder.claimed(folder),
    ):
        pass
    with cell_folder.claimed(folder):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot be made"), cell_folder.claimed(tmp_path / "file" / "below"):
        pass


def test_settings_that_an_older_version_did_not_have_are_their_defaults(cell):
    saved = {key: value for key, value in cell.ntl.items() if key != "gaussian_sigma"}
    write_json(cell.folder / "ntl_config.json", saved)
    cell_folder.check([cell])
    with pytest.raises(ValueError, match=r"was trained with `ntl_gaussian_sigma` 0\.0"):
        cell_folder.check([dataclasses.replace(cell, ntl={**cell.ntl, "gaussian_sigma": 1.0})])


def test_secrets_are_neither_written_nor_compared(cell):
    """A token that was renewed is no other setting, nor is one that an older version has written down."""
    secret = {"token": "s3cr3t", "attn_implementation": "eager"}
    ours = dataclasses.replace(cell, settings={**cell.settings, "model_init_kwargs": secret})
    write_json(cell.folder / TRAINING, {"settings": ours.settings, "finished": "now"})
    assert "s3cr3t" not in (cell.folder / TRAINING).read_text()
    assert read_json(cell.folder / TRAINING)["settings"]["model_init_kwargs"] == {"attn_implementation": "eager"}
    renewed = dataclasses.replace(ours, settings={**ours.settings, "model_init_kwargs": {**secret, "token": "new"}})
    for settings in (ours.settings, renewed.settings):
        (cell.folder / TRAINING).write_text(json.dumps({"settings": settings, "finished": "now"}))
        cell_folder.check([ours, renewed])
    other = dataclasses.replace(ours, settings={**ours.settings, "model_init_kwargs": {"token": "s3cr3t"}})
    with pytest.raises(ValueError, match="`model_init_kwargs` was") as error:
        cell_folder.check([other])
    assert "s3cr3t" not in str(error.value)
