"""`ntl-hf quickstart`: train CE against CE + NTL on generated text and print what comes out."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ..settings.errors import as_usage_error
from .help import HelpFormatter, with_examples
from .terminal import make_console

_DESCRIPTION = with_examples(
    "Trains the same small decoder with CE and with CE + NTL, with equal steps and paired seeds, on generated text: "
    "noisy readings, whose best possible error is known, and exact arithmetic. Prints a table and saves the results "
    "and a picture of the learning curves. No network; about three minutes on two CPU cores.",
    "ntl-hf quickstart",
    "ntl-hf quickstart --debug --output_dir trial",
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "quickstart",
        help="train CE against CE + NTL on a CPU",
        description=_DESCRIPTION,
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--output_dir",
        type=Path,
        default=Path("quickstart_out"),
        metavar="FOLDER",
        help="of the results and the picture",
    )
    parser.add_argument("--seeds", type=int, help="paired seeds for each task (default: 3)")
    parser.add_argument("--steps", type=int, help="training steps of each run (default: 800)")
    parser.add_argument("--jobs", type=int, help="runs at a time, one core each (default: one a core, 4 at most)")
    parser.add_argument("--debug", action="store_true", help="a few steps on a few rows: the path, not the scores")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, write and print: 0, or 1 if a training process was killed.

    Raises:
        UsageError: less than one seed, step or job, or a folder that must not be overwritten.
    """
    from ..compare.processes import default_jobs
    from ..compare.quickstart.recipe import make_settings

    with as_usage_error(ValueError):
        settings = make_settings(args.seeds, args.steps, args.debug)
        jobs = default_jobs() if args.jobs is None else args.jobs
        if jobs < 1:
            raise ValueError(f"`--jobs` is {jobs}; it must be 1 or more.")
        claim_folder(args.output_dir)
    return _train_and_report(settings, jobs, args.output_dir)


def claim_folder(folder: Path) -> None:
    """Make the folder, or take an empty one or that of an earlier quickstart.

    Raises:
        ValueError: it is a file, holds other things, or cannot be made.
    """
    from ..compare.quickstart.recipe import RESULTS

    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; `--output_dir` must be a folder.")
    if folder.exists() and any(folder.iterdir()) and not (folder / RESULTS).exists():
        raise ValueError(
            f"{folder} is not empty and has no {RESULTS} of an earlier quickstart. Choose another `--output_dir`."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"`--output_dir` {folder} cannot be made: {error.strerror}.") from error


def _train_and_report(settings: dict[str, Any], jobs: int, folder: Path) -> int:
    # First, for the imports below take seconds.
    seeds, runs = settings["seeds"], f"{settings['steps']} steps"
    runs = f"{seeds} seeds of {runs}" if seeds > 1 else runs
    print(f"Training a small decoder with CE and with CE + NTL on two tasks, {runs}, {jobs} at a time.", flush=True)
    from ..compare.quickstart.recipe import PICTURE
    from ..compare.quickstart.train_all import RunKilledError, quickstart
    from ..plots import can_plot

    if not can_plot():
        print("matplotlib is missing, so there will be no picture: pip install 'ntl-hf[plots]'", file=sys.stderr)
    try:
        results = quickstart(settings, jobs, make_console(stderr=True))
    except RunKilledError:
        print("ntl-hf: a training process was killed, perhaps for want of memory. Try `--jobs 1`.", file=sys.stderr)
        return 1
    from ..compare.quickstart.report import print_report, save_curves, write_results

    written = [write_results(folder, results)]
    if can_plot():
        save_curves(results, folder / PICTURE)
        written.append(folder / PICTURE)
    print_report(make_console(width_of_pipes=100), results)
    print("Written:", ", ".join(map(str, written)))
    return 0
