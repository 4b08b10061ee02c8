"""Runs in one process and in two, each made once and kept on disk."""

from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from tests.invariants.cases import CASES, cases_of, is_core
from tests.invariants.training import evaluate, train
from tests.processes import run_module
from tests.tiny import tiny_model


class Runs:
    """The results of runs. The folder may be shared by several processes of pytest: the first one to ask makes a run.

    Args:
        folder: where models, checkpoints and results go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def alone(self, name: str, size: int = 8, accumulation: int = 1) -> dict[str, Any]:
        """A case in a single process, `size` rows at a time."""
        folder = self.folder / f"alone-{size}"
        return self._once(folder / f"{name}.pt", lambda: train(name, folder, size, accumulation))

    def trained(self, mode: str, name: str) -> dict[str, Any]:
        """A case in two processes; all cases of the mode's core, or all others, come from one launch."""
        return self._launched(mode, "train", is_core(mode, name))[name]

    def resumed(self, mode: str, name: str) -> dict[str, Any]:
        """The same, gone on with in new processes from the checkpoint of the third step."""
        self.trained(mode, name)
        return self._launched(mode, "resume", is_core(mode, name))[name]

    def evaluated(self, mode: str | None, name: str) -> dict[str, Any]:
        """Of a model that was not trained; without a mode, in a single process."""
        if mode is None:
            folder = self.folder / "evaluated"
            return self._once(folder / f"{name}.pt", lambda: evaluate(name, folder))
        return self._launched(mode, "evaluate", is_core(mode, name))[name]

    def folder_of(self, mode: str, name: str) -> Path:
        """What holds `models/`, and, by the names of the cases, `runs/` and `saved/`."""
        return self.folder / f"{mode}-{'core' if is_core(mode, name) else 'more'}"

    def _launched(self, mode: str, job: str, core: bool) -> dict[str, Any]:
        names = cases_of(mode, core)
        folder = self.folder_of(mode, names[0])
        return self._once(folder / f"{job}.pt", lambda: _in_two_processes(folder, mode, job, names))

    def _once(self, path: Path, make: Any) -> Any:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent.with_suffix(".lock")):
            if not path.exists():
                if not (path.parent / "models").exists():
                    _write_models(path.parent)
                torch.save(_result_or_error(make), path)
        result = torch.load(path, weights_only=False)
        assert not isinstance(result, str), result
        return result


def _result_or_error(make: Any) -> Any:
    """Kept as well, so that not each test tries again what takes long to fail."""
    try:
        return make()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _write_models(folder: Path) -> None:
    for architecture in {case.architecture for case in CASES.values()}:
        model = tiny_model(architecture)
        if architecture == "t5":
            # Its attention does not divide by the width: with large weights it is so sharp that rounding decides.
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.mul_(0.6)
        model.save_pretrained(folder / "models" / architecture)


def _in_two_processes(folder: Path, mode: str, job: str, names: list[str]) -> dict[str, Any]:
    result_file = folder / f"{job}-found.pt"
    words = [result_file, mode, job, *names]
    done = run_module("tests.invariants.worker", words, processes=2, timeout=290)
    assert done.returncode == 0, done.stderr[-8000:]
    return torch.load(result_file, weights_only=False)
