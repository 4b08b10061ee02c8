"""Put faults into copies of the checkout, one at a time, and see whether the tests catch them.

    python -m tests.faults.run [NAME ...] [--all-tests] [--list]

The tests run on a copy without a fault first, so that a failure is the fault's.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
# These look at the old texts themselves, and fail with any fault.
OWN_TESTS = "tests/faults"
_ALL_TESTS = ("tests", "-m", "not slow and not distributed")
# A node id may have spaces.
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
# Exit codes of pytest.
_PASSED, _SOME_FAILED = 0, 1


class FaultError(Exception):
    """The run says nothing about the tests: a fault does not fit the code, or the tests could not be run."""


@dataclass(frozen=True)
class Outcome:
    """What came of one fault: the test that caught it, or None, after so many seconds."""

    fault: Fault
    caught_by: str | None
    seconds: float


def checkout_files(root: Path) -> list[Path]:
    """The files of a checkout, tracked or new, without what git ignores; relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout
    paths = {Path(name) for name in listed.split("\0") if name}
    return sorted(path for path in paths if (root / path).is_file())


def copy_checkout(root: Path, folder: Path) -> None:
    """Copy the files of a checkout into an empty folder."""
    for path in checkout_files(root):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, folder / path)


def apply(fault: Fault, root: Path) -> None:
    """Put a fault into a file of the checkout at `root`.

    Raises:
        FaultError: its old text does not stand there exactly once.
    """
    path = root / fault.file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text.count(fault.old) != 1:
        raise FaultError(
            f"{fault.name}: {fault.old!r} stands {text.count(fault.old)} times in {fault.file}, not once."
        )
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")


def failing_test(root: Path, tests: Sequence[str]) -> str | None:
    """Run tests of the copy at `root`, up to the first that fails, and return its node id; None if all pass.

    Raises:
        FaultError: the copy is not what is imported, or pytest could not run the tests.
    """
    environment = {**os.environ, "PYTHONPATH": str(root)}
    options = {"cwd": root, "env": environment, "capture_output": True, "text": True}
    imported = subprocess.run([sys.executable, "-c", "import ntl_hf; print(ntl_hf.__file__)"], **options)
    if imported.stdout.strip() != str(root / "ntl_hf" / "__init__.py"):
        raise FaultError(f"What is imported is not the copy in {root}: {imported.stdout}{imported.stderr[-1000:]}")
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--ignore={OWN_TESTS}", *tests]
    result = subprocess.run(command, **options)
    if result.returncode == _PASSED:
        return None
    failed = _FAILED.search(result.stdout)
    if result.returncode != _SOME_FAILED or failed is None:
        raise FaultError(f"pytest ended with {result.returncode}:\n{result.stdout[-3000:]}{result.stderr[-1000:]}")
    return failed[1]


def check_clean(tests: Sequence[str]) -> None:
    """Run tests on a copy without a fault; `FaultError` if one fails."""
    with tempfile.TemporaryDirectory(prefix="no-fault-") as folder:
        copy = Path(folder).resolve()
        copy_checkout(ROOT, copy)
        failed = failing_test(copy, tests)
    if failed is not None:
        raise FaultError(f"{failed} fails without any fault.")


def try_fault(fault: Fault, tests: Sequence[str]) -> Outcome:
    """Run tests on a copy with one fault."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"{fault.name}-") as folder:
        copy = Path(folder).resolve()
        copy_checkout(ROOT, copy)
        apply(fault, copy)
        caught_by = failing_test(copy, tests)
    return Outcome(fault, caught_by, time.monotonic() - start)


def print_table(outcomes: Sequence[Outcome]) -> None:
    """One line a fault: its name, whether it was caught, the seconds, and by which test."""
    width = max(len(each.fault.name) for each in outcomes)
    for each in outcomes:
        word = "caught    " if each.caught_by else "NOT CAUGHT"
        print(f"{each.fault.name:{width}}  {word}  {each.seconds:5.0f} s  {each.caught_by or each.fault.wrong}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code: 0 if every fault was caught, 1 if not, 2 if that is not known."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__.splitlines()[0])
    known = {fault.name: fault for fault in FAULTS}
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to try; default: all")
    parser.add_argument("--all-tests", action="store_true", help="run all tests of `make test` on each (hours)")
    parser.add_argument("--list", action="store_true", help="list the faults, and try none")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in known]
    if unknown:
        parser.error(f"unknown faults: {', '.join(unknown)}; --list has the names")
    chosen = [known[name] for name in args.names] or list(FAULTS)
    if args.list:
        for fault in chosen:
            print(f"{fault.name}: {fault.file}: {fault.wrong} ({', '.join(fault.tests)})")
        return 0
    try:
        outcomes = _try_all(chosen, args.all_tests)
    except FaultError as error:
        print(error, file=sys.stderr)
        return 2
    print()
    print_table(outcomes)
    return 0 if all(each.caught_by for each in outcomes) else 1


def _try_all(faults: Sequence[Fault], with_all_tests: bool) -> list[Outcome]:
    tests = _ALL_TESTS if with_all_tests else tuple(dict.fromkeys(name for fault in faults for name in fault.tests))
    print("without a fault ...", flush=True)
    start = time.monotonic()
    check_clean(tests)
    print(f"all pass, {time.monotonic() - start:.0f} s", flush=True)
    outcomes = []
    for fault in faults:
        print(f"{fault.name} ...", flush=True)
        outcomes.append(try_fault(fault, _ALL_TESTS if with_all_tests else fault.tests))
        print("caught" if outcomes[-1].caught_by else "NOT CAUGHT", flush=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
