"""tests/processes.py: what runs in a child of the server is as a program in a process of its own."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.processes import run_command, run_module

# What this module does as a program.
PROGRAMS = {
    "prints": lambda: (print("words", sys.argv[2:]), print("to stderr", file=sys.stderr)),
    "raises": lambda: 1 / 0,
    "exits": lambda: sys.exit(int(sys.argv[2])),
    "exits with a text": lambda: sys.exit("why"),
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "tells": lambda: print(Path.cwd(), os.environ.get("A_NAME"), sys.stdin.read() == "", sys.stdout.isatty()),
    "ranks": lambda: print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"], flush=True),
    "one fails": lambda: fail() if os.environ["RANK"] == "1" else wait_and_listen_to_nothing(),
    "waits": lambda: time.sleep(60),
}


def run(name, *words, **options):
    return run_module("tests.test_processes", [name, *words], **options)


def test_output_and_errors():
    done = run("prints", "a", "b")
    assert (done.returncode, done.stdout, done.stderr) == (0, "words ['a', 'b']\n", "to stderr\n")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["raises"], 1, "ZeroDivisionError"),
        (["exits", "0"], 0, ""),
        (["exits", "7"], 7, ""),
        (["exits with a text"], 1, "why"),
        (["is killed"], -signal.SIGKILL, ""),
    ],
)
def test_exit_codes(words, code, error):
    done = run(*words)
    assert done.returncode == code and error in done.stderr


def test_directory_environment_and_streams(tmp_path, monkeypatch):
    monkeypatch.setenv("A_NAME", "of the tests")
    assert run("tells", cwd=tmp_path).stdout == f"{tmp_path} of the tests True False\n"
    assert run("tells", env={"A_NAME": "its own"}, cwd=tmp_path).stdout == f"{tmp_path} its own True False\n"
    monkeypatch.delenv("A_NAME")
    assert " None " in run("tells").stdout


def test_several_processes():
    done = run("ranks", processes=2)
    assert done.returncode == 0 and sorted(done.stdout.splitlines()) == ["rank 0 of 2", "rank 1 of 2"]


def fail():
    """Once the other one is there."""
    while not Path(sys.argv[2]).exists():
        time.sleep(0.01)
    sys.exit(5)


def wait_and_listen_to_nothing():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path(sys.argv[2]).touch()
    time.sleep(240)


def test_the_others_end_with_one_that_fails(tmp_path):
    started = time.monotonic()
    assert run("one fails", tmp_path / "there", processes=2).returncode == 5
    assert time.monotonic() - started < 200


def test_what_takes_too_long_is_ended():
    done = run("waits", timeout=1)
    assert done.returncode == 1 and "KeyboardInterrupt" in done.stderr


def test_a_command():
    done = run_command("--version")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("ntl-hf ")


if __name__ == "__main__":
    PROGRAMS[sys.argv[1]]()
