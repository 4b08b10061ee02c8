"""One process at a time in a folder, and none for longer than it lives."""

import os
import signal
import time

import pytest
from filelock import FileLock

from ntl_hf.trainers.folder_lock import LOCK, locked
from tests.elsewhere import locked_elsewhere


def test_another_process_is_refused_until_the_first_has_ended(tmp_path):
    refused = pytest.raises(ValueError, match=f"{tmp_path}: wait for it")
    with locked_elsewhere(tmp_path), refused, locked(tmp_path, "wait for it"):
        pass
    with locked(tmp_path, "wait for it"):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path):
    with locked_elsewhere(tmp_path) as process:
        process.kill()
        process.wait()
        assert (tmp_path / LOCK).exists()
        with locked(tmp_path, "wait for it"):
            pass


def test_nor_do_its_forked_children(tmp_path):
    """As a data loader's workers, which live on for a while."""
    read, write = os.pipe()
    parent = os.fork()
    if not parent:
        with locked(tmp_path, "wait for it"):
            child = os.fork()
            if not child:
                time.sleep(60)
                os._exit(0)
            os.write(write, str(child).encode())
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    child = int(os.read(read, 100))
    try:
        with locked(tmp_path, "wait for it"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_process_may_take_it_twice(tmp_path):
    with locked(tmp_path, ""):
        with locked(tmp_path / ".", ""):
            pass
        assert _is_refused_elsewhere(tmp_path), "the inner block has let go of it"
    assert not _is_refused_elsewhere(tmp_path)


def _is_refused_elsewhere(folder):
    child = os.fork()
    if not child:
        try:
            with locked(folder, ""):
                os._exit(0)
        except ValueError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_nothing_is_left_of_a_folder_that_stays_empty(tmp_path):
    with locked(tmp_path / "a" / "b", ""):
        pass
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "a" / "b", ""):
        (tmp_path / "a" / "model").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "model"]
    (tmp_path / "empty").mkdir()
    with locked(tmp_path / "empty", ""):
        pass
    assert (tmp_path / "empty").is_dir(), "it was there before"


def test_a_file_system_without_locks_is_told_and_no_reason_to_stop(tmp_path, monkeypatch):
    def fail(self, *args, **kwargs):
        raise OSError("no locks available")

    monkeypatch.setattr(FileLock, "acquire", fail)
    with pytest.warns(UserWarning, match="cannot be locked .no locks available"), locked(tmp_path, ""):
        pass
