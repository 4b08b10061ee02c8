"""`ntl-hf quickstart`: train CE against CE + NTL on generated text and print what comes out."""

import argparse
import sys
from pathlib import Path
from typing import Any

_DESCRIPTION = (
    "Trains the same small decoder with CE and with CE + NTL, with equal steps and paired seeds, on generated text: "
    "noisy readings, whose best possible error is known, and exact arithmetic. Prints a table and saves the results "
    "and a picture of the learning curves. No network; about three minutes on two CPU cores."
)


def add_parser(subparsers: Any) -> None:
    """Register the command with `ArgumentParser.add_subparsers()`."""
    parser = subparsers.add_parser("quickstart", help="train CE against CE + NTL on a CPU", description=_DESCRIPTION)
    parser.add_argument("--output_dir", type=Path, default=Path("quickstart_out"), help="default: %(default)s")
    parser.add_argument("--seeds", type=int, help="paired seeds for each task (default: 3)")
    parser.add_argument("--steps", type=int, help="training steps of each run (default: 800)")
    parser.add_argument("--jobs", type=int, help="runs at a time, one core each (default: one a core, 4 at most)")
    parser.add_argument("--debug", action="store_true", help="a few steps on a few rows: the path, not the scores")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 2 for bad input, 1 if a training process dies, 130 if interrupted."""
    from concurrent.futures.process import BrokenProcessPool

    from ..quickstart.output import claim_folder
    from ..quickstart.pool import default_jobs
    from ..quickstart.settings import make_settings

    try:
        settings = make_settings(args.seeds, args.steps, args.debug)
        jobs = default_jobs() if args.jobs is None else args.jobs
        if jobs < 1:
            raise ValueError(f"`--jobs` is {jobs}; it must be 1 or more.")
        claim_folder(args.output_dir)
    except ValueError as error:
        return _fail(error, 2)
    try:
        return _train_and_report(settings, jobs, args.output_dir)
    except BrokenProcessPool:
        return _fail("a training process was killed, perhaps for want of memory. Try `--jobs 1`.", 1)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written.", 130)


def _train_and_report(settings: Any, jobs: int, folder: Path) -> int:
    from rich.console import Console

    from ..quickstart.output import PICTURE, write_results
    from ..quickstart.plot import can_plot, save_curves
    from ..quickstart.report import print_report
    from ..quickstart.start import quickstart

    if not can_plot():
        print("matplotlib is missing, so there will be no picture: pip install 'ntl-hf[plots]'", file=sys.stderr)
    results = quickstart(settings, jobs, Console(stderr=True))
    written = [write_results(folder, results)]
    if can_plot():
        save_curves(results, folder / PICTURE)
        written.append(folder / PICTURE)
    print_report(Console(), results)
    print("Written:", ", ".join(map(str, written)))
    return 0


def _fail(message: object, code: int) -> int:
    print(f"ntl-hf quickstart: {message}", file=sys.stderr)
    return code
