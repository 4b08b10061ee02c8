"""Processes of their own for the cells: their output, their failures, and signals."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ntl_hf.compare.processes import (
    DONE,
    FAILED,
    INTERRUPTED,
    REFUSED,
    Pool,
    Slot,
)
from tests.compare.work import work

METHODS = ["spawn"] + ["forkserver"] * (sys.platform == "linux")


@pytest.fixture
def run(tmp_path):
    def run(items, jobs=2, method="spawn", devices=(None, None), go_on=lambda outcome: True):
        outcomes, shares = {}, []

        def on_outcome(position, outcome):
            outcomes[position] = outcome
            return go_on(outcome)

        pool = Pool(work, [Slot(devices[i]) for i in range(jobs)], method=method)
        logs = [tmp_path / f"cell{i}" / "cell.log" for i in range(len(items))]
        number = pool.run(items, logs, lambda position, share: shares.append((position, share)), on_outcome)
        assert not multiprocessing.active_children()
        return [outcomes.get(i) for i in range(len(items))], shares, number, logs

    return run


@pytest.mark.parametrize("method", METHODS)
def test_every_item_has_a_process_a_log_and_an_outcome(run, method):
    outcomes, shares, number, logs = run(["a", "b", "c"], method=method)
    assert [outcome.how for outcome in outcomes] == [DONE] * 3 and number is None
    assert sorted(shares) == [(0, 0.5), (1, 0.5), (2, 0.5)]
    assert [log.read_text() for log in logs] == ["did a\n", "did b\n", "did c\n"]


def test_one_that_fails_leaves_the_others_alone(run):
    outcomes, _, _, logs = run(["fail", "die", "kill", "refuse", "a"])
    assert [outcome.how for outcome in outcomes] == [FAILED, FAILED, FAILED, REFUSED, DONE]
    messages = [outcome.message for outcome in outcomes]
    assert messages[0] == "ZeroDivisionError: on purpose" and "exit code 9" in messages[1]
    assert "killed by signal 9" in messages[2] and "--jobs 1" in messages[2] and messages[3] == "no such model"
    assert "ZeroDivisionError: on purpose" in logs[0].read_text() and "Traceback" in logs[0].read_text()


def test_devices_are_shared_out(run):
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    _, _, _, logs = run(["device", "device"], devices=("3", "5"))
    assert {log.read_text().splitlines()[0] for log in logs} == {"device 3", "device 5"}
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before


def test_who_is_told_may_stop_it_all(run, tmp_path):
    items = ["refuse", (str(tmp_path / "started"), "listens"), "a"]
    outcomes, _, number, _ = run(items, go_on=lambda outcome: outcome.how != REFUSED)
    assert [outcome and outcome.how for outcome in outcomes] == [REFUSED, INTERRUPTED, None] and number is None


def signal_when(path, count):
    """Send this process a SIGTERM once the file is there, and again half a second later."""

    def wait_and_send():
        while not path.exists():
            time.sleep(0.02)
        for _ in range(count):
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_and_send, daemon=True).start()


@pytest.mark.parametrize(("how", "signals", "expected"), [("listens", 1, INTERRUPTED), ("is deaf", 2, FAILED)])
def test_a_signal_stops_the_cells_and_a_second_one_ends_them(run, tmp_path, how, signals, expected):
    started = tmp_path / "started"
    signal_when(started, signals)
    outcomes, _, number, _ = run([(str(started), how), "a"], jobs=1)
    assert number == signal.SIGTERM and outcomes[0].how == expected and outcomes[1] is None
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


ORPHAN = """
import sys
from pathlib import Path
from ntl_hf.compare.processes import Slot
from ntl_hf.compare.processes import Pool
from tests.compare.work import work
folder = Path(sys.argv[1])
Pool(work, [Slot()]).run([(sys.argv[1] + "/started", "listens")], [folder / "cell.log"], print, print)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_cells_stop_when_the_command_is_killed(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN, str(tmp_path)])
    while not (tmp_path / "started").exists():
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    for _ in range(1000):
        if (tmp_path / "cell.log").read_text() == "stopped\n":
            return
        time.sleep(0.02)
    raise AssertionError("the cell went on without its parent")
