"""`ntl-hf compare`: train variants of a recipe on several seeds, score them, and report with paired tests."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings.errors import UsageError, as_usage_error, did_you_mean
from .help import HelpFormatter, OneLineParser, ScriptCommand, with_examples
from .terminal import make_console

if TYPE_CHECKING:
    from ..compare.cells import Cell
    from ..compare.plan import Plan
    from ..compare.run_cells import Finish

_DESCRIPTION = with_examples(
    "Trains every variant of a comparison on every seed, scores each, and reports means, spreads and paired tests "
    "against the baseline, with plots. Finished cells are skipped, so that the same command continues after an "
    "interrupt. Any other option, such as --data_path FOLDER, is a setting of all cells.",
    "ntl-hf compare --config t5-tiny/compare-arithmetic",
    "ntl-hf compare --config compare.yaml --only ce was --seeds 1 2 3",
    "ntl-hf compare --config compare.yaml --report_only",
)
_DEBUG = "a few steps on a few rows of one seed, into a new temporary folder unless --output_dir names one"


def _run(argv: Sequence[str]) -> int:
    """Check everything, train, score and report: 0, 1 if a cell failed, 128 + signal after an interrupt.

    Raises:
        UsageError: whatever is refused before training.
    """
    args, words = _parser().parse_known_args(list(argv))
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UsageError("compare runs its cells in one process each: leave out the launcher, and see --devices.")
    with as_usage_error(ValueError):
        plan = _read_plan(args)
    return _compare(plan, words, _check_only(args.only, plan), args)


COMMAND = ScriptCommand("compare", "train variants on several seeds and report: --config compare.yaml", _run)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="ntl-hf compare", description=_DESCRIPTION, formatter_class=HelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--config",
        required=True,
        metavar="FILE_OR_NAME",
        help="the comparison: a file with variants, seeds, evaluations, or a name that `ntl-hf recipes` lists",
    )
    parser.add_argument("--output_dir", type=Path, metavar="FOLDER", help="instead of the file's")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help="instead of the file's")
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        metavar="VARIANT",
        help="train these alone; the report covers what is there",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="cells at a time (default: one a device, or a core, 4 at most)"
    )
    parser.add_argument(
        "--devices", metavar="IDS", help="GPUs to share out, such as 0,1: one cell each (default: the first one)"
    )
    parser.add_argument("--report_only", action="store_true", help="train nothing, and report on what is there")
    parser.add_argument("--debug", action="store_true", help=_DEBUG)
    return parser


def _read_plan(args: argparse.Namespace) -> "Plan":
    from ..compare.plan import for_debug, read_plan, with_seeds

    plan = read_plan(args.config)
    plan = with_seeds(plan, args.seeds) if args.seeds else plan
    plan = replace(plan, output_dir=args.output_dir) if args.output_dir else plan
    if not args.debug:
        return plan
    # As for the other commands: it must neither meet nor leave anything in the folder of the file.
    folder = args.output_dir or Path(tempfile.mkdtemp(prefix="ntl-hf-debug-")) / plan.output_dir.name
    return for_debug(plan, folder)


def _check_only(only: Sequence[str] | None, plan: "Plan") -> list[str]:
    for name in only or ():
        if name not in plan.variants:
            known = ", ".join(plan.variants)
            hint = did_you_mean(name, plan.variants) or f" There are: {known}."
            raise UsageError(f"--only {name}: there is no such variant.{hint}")
    return list(only or plan.variants)


def _compare(plan: "Plan", words: list[str], only: list[str], args: argparse.Namespace) -> int:
    devices = _devices(args.devices)
    jobs = _jobs(args.jobs, devices)
    # First, for the imports below take seconds.
    what = "Reporting on" if args.report_only else "Debug run of" if args.debug else "Comparing"
    print(f"{what} {len(only)} variants, seeds {', '.join(map(str, plan.seeds))}: {plan.output_dir}", flush=True)
    from ..compare import cell_folder
    from ..compare.cells import check_evaluations, make_cells
    from ..compare.run_cells import Finish, make_pool, run_cells

    pool = None if args.report_only else make_pool(jobs, devices)
    cells = make_cells(plan, words)
    if pool:
        check_evaluations(cells)
    with ExitStack() as stack:
        with as_usage_error(ValueError):
            if pool:
                stack.enter_context(cell_folder.claimed(plan.output_dir))
            cell_folder.check(cells)
        finish = Finish()
        if pool:
            finish = run_cells([cell for cell in cells if cell.variant in only], pool, make_console(stderr=True))
        return _end(plan, cells, only, finish)


def _end(plan: "Plan", cells: "list[Cell]", only: Sequence[str], finish: "Finish") -> int:
    if finish.signal is not None:
        print("ntl-hf: interrupted; the same command goes on from here.", file=sys.stderr)
        return 128 + finish.signal
    if finish.refused is not None:
        raise UsageError(finish.refused)
    from ..compare.report import print_summary, write_report

    with as_usage_error(ValueError):
        plan, cells = _listed(plan, cells, only)
        report = write_report(plan, cells, [(cell.name, message) for cell, message in finish.failures])
    print_summary(make_console(width_of_pipes=120), report)
    print("Written:", ", ".join(map(str, report.files)))
    for cell, message in finish.failures:
        print(f"ntl-hf: the cell '{cell.name}' failed: {message} See {cell.folder / 'cell.log'}.", file=sys.stderr)
    return 1 if finish.failures else 0


def _listed(plan: "Plan", cells: "list[Cell]", only: Sequence[str]) -> "tuple[Plan, list[Cell]]":
    """What is reported on: the chosen variants, those of which something is there, and the baseline."""
    from ..compare.cell_folder import is_finished
    from ..compare.plan import with_variants

    plan = with_variants(plan, {*only, *(cell.variant for cell in cells if is_finished(cell))})
    return plan, [cell for cell in cells if cell.variant in plan.variants]


def _devices(text: str | None) -> list[str]:
    if text is not None:
        devices = [part.strip() for part in text.split(",") if part.strip()]
        if not devices or len(set(devices)) < len(devices):
            raise UsageError(f"--devices is '{text}'; name each GPU once, such as 0,1.")
        return devices
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        first = visible.split(",")[0].strip()
        return [] if first in ("", "-1") else [first]
    # Without torch, which is imported later.
    return ["0"] if any(Path("/dev").glob("nvidia[0-9]*")) else []


def _jobs(jobs: int | None, devices: Sequence[str]) -> int:
    from ..compare.processes import default_jobs

    jobs = (len(devices) or default_jobs()) if jobs is None else jobs
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}; it must be 1 or more.")
    return jobs
