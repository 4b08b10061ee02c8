"""Which checkpoints count as whole, on folders made by hand."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.trainers.checkpoints import (
    MANIFEST,
    begin_checkpoint,
    checkpoint_problem,
    finish_checkpoint,
    last_complete_checkpoint,
    remove_checkpoint,
    resolve_checkpoint,
    told_by,
)

FILES = {
    "ntl_config.json": b"{}",
    "model.safetensors": b"weights",
    "rng_state_1.pth": b"",
    "global_step3/shard_0.pt": b"shard",
    "trainer_state.json": b"{}",
}


@pytest.fixture
def write(tmp_path):
    """Writes a whole checkpoint and returns its folder."""

    def write(step, files=FILES, manifest=True):
        folder = tmp_path / f"checkpoint-{step}"
        begin_checkpoint(folder)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        if manifest:
            finish_checkpoint(folder)
        return folder

    return write


def test_a_whole_one_is_whole_and_stays_so(write):
    folder = write(3)
    assert checkpoint_problem(folder) is None
    (folder / "README.md").write_text("added by hand")
    assert checkpoint_problem(folder) is None


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_truncated_file_is_named(write, name):
    folder = write(3)
    (folder / name).write_bytes(FILES[name] + b"more")
    assert checkpoint_problem(folder).startswith(f"{name} has ")
    (folder / name).unlink()
    assert checkpoint_problem(folder) == f"{name} is missing"


@given(st.integers(0, len(FILES)))
def test_whatever_was_written_before_the_end_is_not_whole(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("run") / "checkpoint-5"
    folder.mkdir()
    for name, content in list(FILES.items())[:written]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    assert checkpoint_problem(folder) is not None


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", '{"files": 3}', '{"files": []}', '{"files": {"a": "b"}}', '{"files": {"a": NaN}}', "{}", "3"),
        *('{"files": {}, "saved_by": 3}', '{"files": {}, "saved_by": ["zero"]}'),
        *('{"files": {}, "settings": 3}', '{"files": {}, "settings": {"seed": NaN}}'),
        '{"files": {}, "settings": {"seed": [1]}}',
    ],
)
def test_a_manifest_that_cannot_be_read(write, content):
    folder = write(3)
    (folder / MANIFEST).write_text(content)
    assert checkpoint_problem(folder) == f"its {MANIFEST} cannot be read"
    with pytest.raises(ValueError, match=rf"checkpoint-3/{MANIFEST} .*Take another checkpoint"):
        told_by(folder, "saved_by")


@pytest.mark.parametrize("content", ['{"files": {}}', '{"files": {"model.safetensors": 7}}'])
def test_a_manifest_that_lists_nothing_tells_nothing(write, content, tmp_path):
    folder = write(3)
    (folder / MANIFEST).write_text(content)
    assert checkpoint_problem(folder) == f"its {MANIFEST} does not list trainer_state.json, which every checkpoint has"
    with pytest.raises(ValueError, match=r"not a complete checkpoint .*does not list trainer_state.json"):
        resolve_checkpoint(str(folder), tmp_path)


def test_the_manifest_lists_every_file(write):
    sizes = json.loads((write(3) / MANIFEST).read_text())["files"]
    assert sizes == {name: len(content) for name, content in FILES.items()}


def test_writing_over_one_leaves_nothing_of_it(write):
    folder = write(3)
    begin_checkpoint(folder)
    assert not folder.exists()


def test_killed_while_deleting_leaves_nothing_that_looks_whole(write, tmp_path, monkeypatch):
    folder = write(3)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            remove_checkpoint(folder)
    assert last_complete_checkpoint(tmp_path) is None and not folder.exists()
    remove_checkpoint(write(3))
    assert list(tmp_path.iterdir()) == [], "what was left is cleared with the next one"


def test_a_symbolic_link_is_removed_and_what_it_points_to_stays(write, tmp_path):
    target = write(3).rename(tmp_path / "elsewhere")
    (tmp_path / "checkpoint-3").symlink_to(target)
    begin_checkpoint(tmp_path / "checkpoint-3")
    assert list(tmp_path.iterdir()) == [target] and checkpoint_problem(target) is None


def test_how_it_was_saved_can_be_read_back(write):
    folder = write(3, manifest=False)
    assert told_by(folder, "saved_by") == {}
    finish_checkpoint(folder, {"num_processes": 2})
    assert told_by(folder, "saved_by") == {"num_processes": 2} and checkpoint_problem(folder) is None
    (folder / MANIFEST).unlink()
    finish_checkpoint(folder, {"num_processes": 2}, {"learning_rate": 0.5, "data_seed": None})
    assert (
        told_by(folder, "settings") == {"learning_rate": 0.5, "data_seed": None} and checkpoint_problem(folder) is None
    )
    older = json.loads((folder / MANIFEST).read_text())
    del older["settings"]
    (folder / MANIFEST).write_text(json.dumps(older))
    assert told_by(folder, "settings") == {} and checkpoint_problem(folder) is None


def test_a_stock_checkpoint_counts_once_it_has_its_state(write):
    stock = {name: content for name, content in FILES.items() if name != "ntl_config.json"}
    assert checkpoint_problem(write(3, stock, manifest=False)) is None
    stock.pop("trainer_state.json")
    assert checkpoint_problem(write(4, stock, manifest=False)) == "it has no trainer_state.json"


def test_the_last_whole_one_is_found_and_others_are_named(write, tmp_path, caplog):
    write(9), write(10), write(11, manifest=False)
    (write(12) / "model.safetensors").unlink()
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-99").write_text("a file")
    assert last_complete_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert "checkpoint-12: model.safetensors is missing" in caplog.text
    assert "checkpoint-11: it has no checkpoint_manifest.json" in caplog.text
    shutil.rmtree(tmp_path / "checkpoint-10")
    assert last_complete_checkpoint(tmp_path) == str(tmp_path / "checkpoint-9")
    assert last_complete_checkpoint(tmp_path / "nowhere") is None


def test_what_resume_from_checkpoint_means(write, tmp_path):
    for nothing in (None, False, "false", "False"):
        assert resolve_checkpoint(nothing, tmp_path) is None
    assert resolve_checkpoint("auto", tmp_path) is None
    for true in (True, "true", "True"):
        with pytest.raises(ValueError, match="no complete checkpoint"):
            resolve_checkpoint(true, tmp_path)
    folder = write(3)
    half = write(4, manifest=False)
    for last in (True, "true", "auto", str(folder)):
        assert resolve_checkpoint(last, tmp_path) == str(folder)
    with pytest.raises(ValueError, match=r"not a complete checkpoint \(it has no checkpoint_manifest.json"):
        resolve_checkpoint(str(half), tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        resolve_checkpoint(str(tmp_path / "checkpoint-5"), tmp_path)
