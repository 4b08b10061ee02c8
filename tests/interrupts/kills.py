"""Kill a training command in the middle of a save, again and again, and let it finish in the end.

A process of its own, which imports everything once and forks for every attempt: `python -m tests.interrupts.kills
FOLDER PROCESSES KILLS`. Prints, as JSON, what it did.
"""

import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import torch
import trl

from ntl_hf.cli.main import main
from ntl_hf.runs import sft
from ntl_hf.trainers.checkpoints import MANIFEST, checkpoint_problem, list_checkpoints

# Forked processes share what is imported; nothing else may have been started before the fork.
IMPORTED = (datasets, torch, trl, sft)


class Killer:
    """Runs of one command in `processes` processes, on one output folder."""

    def __init__(self, recipe: Path, output_dir: Path, processes: int) -> None:
        self.command = ["sft", "--config", str(recipe), "--output_dir", str(output_dir)]
        self.output_dir, self.processes = output_dir, processes
        self.children: list[int] = []
        self.meeting: socket.socket | None = None
        self.started = 0.0

    def start(self) -> None:
        """Fork a run."""
        if self.meeting is not None:
            self.meeting.close()
        # Kept, so that nobody is given the port before process 0 listens at it, which may take seconds: sockets can
        # share an address as long as only one of them listens.
        self.meeting = socket.socket()
        self.meeting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.meeting.bind(("127.0.0.1", 0))
        port = self.meeting.getsockname()[1]
        self.started = time.time()
        self.children = [self._fork(rank, port) for rank in range(self.processes)]

    def _fork(self, rank: int, port: int) -> int:
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            if self.processes > 1:
                world = {"WORLD_SIZE": self.processes, "RANK": rank, "LOCAL_RANK": rank, "MASTER_PORT": port}
                os.environ.update({"MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in world.items()}})
            log = os.open(self.output_dir.with_suffix(".log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            os.dup2(log, 1), os.dup2(log, 2)
            code = main(self.command)
            sys.stdout.flush()
        finally:
            os._exit(code)

    def finish(self) -> float:
        """Let a run end by itself, and return how many seconds the quickest of its first saves took."""
        self.start()
        name, seconds = None, []
        for _ in range(5):
            name, begun = self.wait_for_a_save(after=name), time.time()
            last = self.output_dir / name
            # Unless the run was quicker, and is at the next one.
            while checkpoint_problem(last) is not None and list_checkpoints(self.output_dir)[0] == last:
                time.sleep(5e-4)
            seconds.append(time.time() - begun)
        codes = [os.waitpid(child, 0)[1] for child in self.children]
        assert not any(codes), f"a process failed: {codes}"
        return min(seconds)

    def kill(self, saves: int, delay: float) -> dict[str, Any]:
        """Kill all processes `delay` seconds after the last of `saves` saves has begun, and tell what that left."""
        self.start()
        begun = None
        for _ in range(saves):
            begun = self.wait_for_a_save(after=begun)
        time.sleep(delay)
        for child in self.children:
            os.kill(child, signal.SIGKILL)
        codes = [os.waitpid(child, 0)[1] for child in self.children]
        assert codes == [signal.SIGKILL] * len(codes), f"ended before it was killed: {codes}"
        last = list_checkpoints(self.output_dir)[0]
        return {"last": last.name, "problem": checkpoint_problem(last)}

    def wait_for_a_save(self, after: str | None = None) -> str:
        """Wait until this run begins to write a checkpoint, later than the one of that name."""
        while True:
            for folder in list_checkpoints(self.output_dir)[:1]:
                if folder.name != after and self._is_being_written(folder):
                    return folder.name
            ended = [os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) for child in self.children]
            assert not any(ended), "a process ended early; see the log"
            time.sleep(2e-4)

    def _is_being_written(self, folder: Path) -> bool:
        try:
            return folder.stat().st_mtime > self.started and not (folder / MANIFEST).exists()
        except FileNotFoundError:  # what an earlier run had left is just being cleared
            return False


def run(folder: Path, processes: int, kills: int) -> dict[str, Any]:
    """Train once without a kill and once with `kills`, in `folder` / "whole" and "killed"."""
    torch.set_num_threads(1)
    recipe = folder / "recipe.yaml"
    seconds = Killer(recipe, folder / "whole", processes).finish()
    killer, chance = Killer(recipe, folder / "killed", processes), random.Random(0)
    left = [killer.kill(chance.randint(1, 2), chance.uniform(0, 1.2 * seconds)) for _ in range(kills)]
    killer.start()
    codes = [os.waitpid(child, 0)[1] for child in killer.children]
    return {"save_seconds": seconds, "left": left, "codes": codes}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
