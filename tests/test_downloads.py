"""The cache of downloads: made once, whole or not at all, and a test is skipped where a registry does not answer."""

import sys
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from . import downloads


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(downloads, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(downloads, "_failures", {})
    return tmp_path / "cache"


def test_a_folder_is_made_once(cache: Path) -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").write_text("content")

    for _ in range(2):
        assert (downloads.cached_folder("thing", make) / "file").read_text() == "content"
    assert len(calls) == 1


@pytest.mark.parametrize("what", ["exit code", "missing program"])
def test_a_failed_download_skips_and_is_not_tried_again(cache: Path, what: str) -> None:
    command = {
        "exit code": [sys.executable, "-c", "raise SystemExit('no such registry')"],
        "missing program": ["no-such"],
    }
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "half").write_text("half of the content")
        downloads._download(*command[what])

    for _ in range(2):
        with pytest.raises(pytest.skip.Exception, match=r"no such registry|No such file"):
            downloads.cached_folder("thing", make)
    assert len(calls) == 1
    assert not (cache / "thing").exists(), "a half-made folder must not be found by a later run"


def _fill_and_log(folder: Path) -> None:
    with (folder.parent.parent / "log").open("a") as log:
        log.write("made\n")
    # Long enough for the other process to come to the lock.
    time.sleep(0.3)
    (folder / "file").write_text("content")


def _ask(cache: Path) -> None:
    downloads.CACHE = cache
    assert (downloads.cached_folder("thing", _fill_and_log) / "file").read_text() == "content"


def test_two_processes_that_ask_at_once_make_it_once(cache: Path) -> None:
    processes = [get_context("fork").Process(target=_ask, args=(cache,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert (cache / "log").read_text() == "made\n"
