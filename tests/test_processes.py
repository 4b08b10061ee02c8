"""tests/processes.py: what runs in a child of the server is as a program in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

import pytest

from tests import processes
from tests.processes import ROOT, run_command, run_module

# A server that need not load the libraries, and does not wait long for those that do not end.
SERVER = (
    "-c",
    "from tests import fork_server as s; s.PRELOADED, s._GRACE_SECONDS = (), 1; s.serve()",
)
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
    "holds": lambda: hold(sys.argv[2]),
}


@pytest.fixture(scope="module", autouse=True)
def server():
    """One for this module: a test ends it, and the one that the other modules share takes long to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "SERVER", SERVER)
        patch.setattr(processes, "_started", cache(processes._started.__wrapped__))
        yield
        processes._stop(processes._server())


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


def hold(pipe):
    """Keep a named pipe open as long as this process lives."""
    with open(pipe, "w") as held:
        print("open", file=held, flush=True)
        time.sleep(240)


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_an_interrupted_request_leaves_neither_its_reply_nor_its_program(pipe):
    held = []

    def interrupt_when_open():
        held.append(pipe.open())
        assert held[0].readline() == "open\n"
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    thread = threading.Thread(target=interrupt_when_open)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run("holds", pipe)
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join()
    # At its end, the last writer has gone.
    with held[0]:
        assert held[0].read() == ""
    assert run("exits", "7").returncode == 7


@pytest.mark.parametrize("how", ["tests end", "server is killed"])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not end children with their parent")
def test_programs_end_with_the_server_and_it_with_the_tests(pipe, how):
    files = {name: str(pipe.with_name(name)) for name in ("stdout", "stderr")}
    program = {"module": "tests.test_processes", "words": ["holds", str(pipe)], "cwd": str(ROOT)}
    program |= {**files, "env": dict(os.environ)}
    with subprocess.Popen([sys.executable, *SERVER], cwd=ROOT, stdin=subprocess.PIPE, text=True) as server:
        print(json.dumps({"programs": [program], "timeout": 240}), file=server.stdin, flush=True)
        with open(pipe) as held:
            assert held.readline() == "open\n"
            if how == "tests end":
                server.stdin.close()
            else:
                server.kill()
            assert held.read() == ""
        assert server.wait() == (1 if how == "tests end" else -signal.SIGKILL)


def test_a_command():
    done = run_command("--version")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("ntl-hf ")


if __name__ == "__main__":
    PROGRAMS[sys.argv[1]]()
