"""Shell blocks: bash reads them, with a stand-in on the path for every program that a page may call."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

# A stand-in writes its name and arguments, each ended by a NUL, and an empty one after the last.
_STAND_IN = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" '<end>' >> "$SHELL_BLOCK_CALLS"
"""


def commands_of(block: str, folder: Path, programs: Iterable[str]) -> list[list[str]]:
    """The commands of a block with their words, as bash expands them: arrays, comments, continued lines.

    Args:
        block: text of the block; nothing of it is run but bash's own `cd`, `export` and the like.
        folder: for the stand-ins.
        programs: names that get a stand-in.

    Raises:
        AssertionError: bash does not read it, or it calls a program that is not in `programs`.
    """
    path, calls = folder / "bin", folder / "calls"
    path.mkdir(parents=True, exist_ok=True)
    for name in programs:
        (path / name).write_text(_STAND_IN)
        (path / name).chmod(0o755)
    calls.write_text("")
    done = subprocess.run(
        ["/bin/bash", "-eu", "-c", block],
        env={"PATH": str(path), "SHELL_BLOCK_CALLS": str(calls), "HOME": os.environ.get("HOME", "/")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"bash does not read this block, or does not know its program: {done.stderr}"
    return [call.split("\0")[:-1] for call in calls.read_text().split("<end>\0")[:-1]]


def typed(console: str) -> str:
    """What is typed in a `console` block: the lines after `$ `; the others are output."""
    return "".join(f"{line[2:]}\n" for line in console.splitlines() if line.startswith("$ "))
