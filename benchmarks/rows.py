"""Rows of the CSV files: what was measured, on what, with which versions."""

import csv
import platform
import statistics
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from .measure import Measurement

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "transformers", "trl", "ntl_hf", "ntloss")


def new_run(preset: str, device: torch.device, threads: int) -> dict[str, Any]:
    """The columns that all rows of one run share."""
    date = datetime.now(UTC).replace(microsecond=0)
    return {
        "run": f"{date:%Y%m%d-%H%M%S}",
        "date": date.isoformat(),
        "preset": preset,
        "device": device.type,
        "device_name": device_name(device),
        "threads": threads,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def result_columns(measurements: list[Measurement]) -> dict[str, Any]:
    """Median and quartiles over all timed runs of all processes, and the median of their peak memory."""
    seconds = [s for m in measurements for s in m.seconds]
    return {
        "processes": len(measurements),
        "timed_runs": len(seconds),
        **time_columns(seconds),
        "peak_mib": f"{statistics.median(m.peak_mib for m in measurements):.1f}",
        "baseline_mib": f"{statistics.median(m.baseline_mib for m in measurements):.1f}",
        "memory_by": measurements[0].memory_by,
        "loss": f"{measurements[0].loss:.8g}",
    }


def time_columns(seconds: list[float]) -> dict[str, str]:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(seconds if len(seconds) > 1 else seconds * 2, method="inclusive")
    return {"seconds": f"{median:.6g}", "seconds_q1": f"{low:.6g}", "seconds_q3": f"{high:.6g}"}


def append(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Add rows to a CSV file, which is made where it is missing.

    Raises:
        SystemExit: the file has other columns.
    """
    rows = list(rows)
    if not rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    columns, is_new = list(rows[0]), not path.exists()
    if not is_new and list(read(path)[0] if read(path) else columns) != columns:
        raise SystemExit(f"{path} has other columns than this version writes; move it away, or choose another --out.")
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, str]]:
    """All rows, in the order in which they were measured; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def device_name(device: torch.device) -> str:
    """The model of the GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
