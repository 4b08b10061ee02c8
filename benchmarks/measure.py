"""Time and peak memory of what one process does."""

import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

MIB = 2**20


@dataclass(frozen=True)
class Budget:
    """How often a process is timed: as often as `seconds` allow, but `least` to `most` times."""

    seconds: float
    least: int
    most: int

    def runs(self, first: float) -> int:
        """The number of timed runs, after a first one that took `first` seconds."""
        return max(self.least, min(self.most, int(self.seconds / max(first, 1e-9))))


@dataclass
class Measurement:
    """What a process found out.

    Attributes:
        seconds: of each timed run.
        baseline_mib: memory of inputs and model between two runs.
        peak_mib: the most that was used on top of it in a timed run.
        loss: the value of the first run.
        memory_by: how the memory was measured.
    """

    seconds: list[float]
    baseline_mib: float
    peak_mib: float
    loss: float
    memory_by: str


class PeakMemory:
    """Peak memory above what is in use when this is made: between two runs, with the gradients dropped.

    On CUDA it is what torch allocated; on a CPU, the resident set of the process. A first run has to come before: the
    code that libraries load when it is needed is resident too, and may be larger than what is measured.
    """

    def __init__(self, device: torch.device) -> None:
        _free_unused()
        self._on_cuda = device.type == "cuda"
        self.method = "torch allocator" if self._on_cuda else "resident set"
        if self._on_cuda:
            torch.cuda.reset_peak_memory_stats()
        elif not _forget_resident_peak():
            self.method = "resident set, with set-up and warm-up"
        self.baseline_mib = (torch.cuda.memory_allocated() if self._on_cuda else _resident("VmRSS")) / MIB

    @property
    def peak_mib(self) -> float:
        """Above the baseline."""
        peak = torch.cuda.max_memory_allocated() if self._on_cuda else _resident("VmHWM")
        return max(0.0, peak / MIB - self.baseline_mib)


def measure(
    loss_of: Callable[[], Tensor], clear: Callable[[], None], budget: Budget, device: torch.device
) -> Measurement:
    """Forward and backward of a loss; the first run warms up and is not counted.

    Args:
        loss_of: the forward pass, to a scalar.
        clear: drops the gradients, after every run.
        budget: of the timed runs.
        device: where it happens.
    """
    first, loss = _timed(loss_of, device)
    clear()
    memory = PeakMemory(device)
    seconds = []
    for _ in range(budget.runs(first)):
        seconds.append(_timed(loss_of, device)[0])
        clear()
    return Measurement(seconds, memory.baseline_mib, memory.peak_mib, loss, memory.method)


def now(device: torch.device) -> float:
    """The clock, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def available_bytes(device: torch.device) -> int | None:
    """Memory that may still be taken, or None where that is not known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info()[0]
    try:
        return _field(Path("/proc/meminfo"), "MemAvailable")
    except OSError:
        return None


def _timed(loss_of: Callable[[], Tensor], device: torch.device) -> tuple[float, float]:
    start = now(device)
    loss = loss_of()
    loss.backward()
    return now(device) - start, float(loss.detach())


def _free_unused() -> None:
    """Give memory that Python or the C library keeps for later back to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _forget_resident_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _resident(name: str) -> int:
    try:
        return _field(Path("/proc/self/status"), name)
    except OSError:
        # No procfs: the peak since the start, which nothing resets.
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _field(path: Path, name: str) -> int:
    """A line such as `VmHWM:   123 kB`, in bytes."""
    line = next(line for line in path.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
