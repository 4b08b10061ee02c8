"""Programs in processes of their own that need not load the libraries first: see tests/fork_server.py.

For tests of what a program does; one of how it starts, or of signals to it, starts it with `subprocess`. What the
libraries read from the environment when they are loaded is that of the tests.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = "ntl_hf.cli.main"
# Options of Python that start the server.
SERVER: tuple[str, ...] = ("-m", "tests.fork_server")


@dataclass(frozen=True)
class Finished:
    """A program that has ended.

    Attributes:
        returncode: of several processes, of the first one that failed.
        stdout: of all processes together.
        stderr: likewise.
    """

    returncode: int
    stdout: str
    stderr: str


def run_module(
    module: str,
    words: Sequence[str | Path] = (),
    processes: int = 1,
    env: dict[str, str] | None = None,
    cwd: Path = ROOT,
    timeout: float = 240,
) -> Finished:
    """Run `python -m module words`, in several processes as under `torchrun` if asked.

    Args:
        module: name of the module.
        words: its arguments.
        processes: how many; they find each other by the environment.
        env: of the program, beside that of the tests.
        cwd: working directory.
        timeout: seconds after which it is interrupted.
    """
    with tempfile.TemporaryDirectory() as folder, _meeting_point() as port:
        files = {name: Path(folder) / name for name in ("stdout", "stderr")}
        program = {"module": module, "words": [str(word) for word in words], "cwd": str(cwd)}
        program |= {name: str(path) for name, path in files.items()}
        environments = [{**os.environ, **(env or {}), **rank} for rank in _ranks(processes, port)]
        programs = [{**program, "env": environment} for environment in environments]
        code = next((code for code in _ask({"programs": programs, "timeout": timeout}) if code), 0)
        return Finished(code, *(path.read_text(encoding="utf-8") for path in files.values()))


def run_command(*words: str | Path, processes: int = 1, **options: object) -> Finished:
    """Run `ntl-hf words`; see `run_module`."""
    return run_module(COMMAND, words, processes, **options)  # type: ignore[arg-type]


def _ask(request: dict[str, object]) -> list[int]:
    """The reply of the server, which is ended where none is read: the next request would read this one's."""
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    try:
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        reply = server.stdout.readline()
        assert reply, "the server of processes has ended"
        codes: list[int] = json.loads(reply)
    except BaseException:
        _stop(server)
        raise
    return codes


@contextmanager
def _meeting_point() -> Iterator[int]:
    """A port for processes to meet at; its socket is kept, so that nobody else is given it before they listen."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def _ranks(processes: int, port: int) -> list[dict[str, str]]:
    if processes == 1:
        return [{}]
    common = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    each = [{**common, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": 1} for rank in range(processes)]
    return [{name: str(value) for name, value in rank.items()} for rank in each]


def _server() -> subprocess.Popen[str]:
    """The server of this process, started by the first test that needs it, and again where it has ended."""
    if _started().poll() is not None:
        _started.cache_clear()
    return _started()


@cache
def _started() -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": _python_path()}
    server = subprocess.Popen(
        [sys.executable, *SERVER],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    atexit.register(_stop, server)
    return server


def _python_path() -> str:
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def _stop(server: subprocess.Popen[str]) -> None:
    """End the server; the programs that it runs end with it."""
    assert server.stdin is not None and server.stdout is not None
    server.kill()
    server.wait()
    # What was not written to it is lost.
    with suppress(BrokenPipeError):
        server.stdin.close()
    server.stdout.close()
