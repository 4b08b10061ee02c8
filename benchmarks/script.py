"""What the scripts share: options, contenders in alternation, each in its own process, and their rows."""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from . import rows
from .measure import Budget, Measurement
from .processes import ChildError, run_child

PRESETS = ("quick", "targets", "full")
# Timed runs of each process, and processes of each contender and case.
_BUDGETS = {"quick": Budget(0, 1, 1), "targets": Budget(40, 3, 7), "full": Budget(30, 5, 9)}
_REPEATS = {"quick": 1, "targets": 1, "full": 2}

Plan = list[tuple[Any, list[str]]]


@dataclass(frozen=True)
class Script:
    """One of the scripts.

    Attributes:
        name: of its module and its CSV file.
        case_type: dataclass of the parameters of a case; the first is its `name`.
        plan: preset, device and options to cases, each with the names of its contenders.
        objective: what a contender computes. Of one case, the same objective has the same value.
        why_not: case, contender, device and options to the reason why it cannot be run, or None.
        measure: case, contender, device, options and budget to a measurement, in this process.
        options: name, default and help of further options.
    """

    name: str
    case_type: type
    plan: Callable[[str, torch.device, dict[str, Any]], Plan]
    objective: Callable[[str], str]
    why_not: Callable[[Any, str, torch.device, dict[str, Any]], str | None]
    measure: Callable[[Any, str, torch.device, dict[str, Any], Budget], Measurement]
    options: tuple[tuple[str, Any, str], ...] = ()


def main(script: Script, arguments: list[str] | None = None) -> None:
    """Run a script, or, with `--case-json`, one of its measurements."""
    args = _parser(script).parse_args(arguments)
    if args.case_json is not None:
        print(json.dumps(asdict(_measure_here(script, json.loads(args.case_json)))))
        return
    _Run(script, args).run()


def _measure_here(script: Script, payload: dict[str, Any]) -> Measurement:
    torch.set_num_threads(payload["threads"])
    case, device = script.case_type(**payload["case"]), torch.device(payload["device"])
    return script.measure(case, payload["contender"], device, payload["options"], Budget(**payload["budget"]))


class _Run:
    def __init__(self, script: Script, args: argparse.Namespace) -> None:
        self.script, self.args = script, args
        self.device = torch.device(args.device)
        self.options = {name: getattr(args, name) for name, _, _ in script.options}
        self.repeats = args.repeats or _REPEATS[args.preset]
        self.budget = Budget(0, args.runs, args.runs) if args.runs else _BUDGETS[args.preset]
        self.common = rows.new_run(args.preset, self.device, args.threads)

    def run(self) -> None:
        for case, contenders in self._chosen(self.script.plan(self.args.preset, self.device, self.options)):
            found = self._alternate(case, [name for name in contenders if self._is_possible(case, name)])
            rows.append(self.args.out / f"{self.script.name}.csv", (self._row(case, n, m) for n, m in found.items()))
            self._compare(case, found)

    def _chosen(self, plan: Plan) -> Plan:
        cases = dict.fromkeys(case.name for case, _ in plan)
        contenders = dict.fromkeys(name for _, names in plan for name in names)
        only = set(self.args.only)
        if unknown := only - {*cases, *contenders}:
            raise SystemExit(f"--only {', '.join(unknown)}: known are {', '.join([*cases, *contenders])}.")
        cases_kept, kept = (only.intersection(known) or set(known) for known in (cases, contenders))
        return [(case, [name for name in names if name in kept]) for case, names in plan if case.name in cases_kept]

    def _is_possible(self, case: Any, contender: str) -> bool:
        reason = self.script.why_not(case, contender, self.device, self.options)
        if reason is not None:
            print(f"{case.name}: {contender} skipped: {reason}", flush=True)
        return reason is None

    def _alternate(self, case: Any, contenders: list[str]) -> dict[str, list[Measurement]]:
        found: dict[str, list[Measurement]] = {}
        for _ in range(self.repeats):
            for name in contenders:
                try:
                    found.setdefault(name, []).append(self._measure(case, name))
                except ChildError as error:
                    print(f"{case.name}: {name} failed: {error}", flush=True)
        return {name: measurements for name, measurements in found.items() if measurements}

    def _measure(self, case: Any, contender: str) -> Measurement:
        payload = {
            "case": asdict(case),
            "contender": contender,
            "device": str(self.device),
            "threads": self.args.threads,
            "budget": asdict(self.budget),
            "options": self.options,
        }
        if self.args.same_process:
            return _measure_here(self.script, payload)
        return Measurement(**run_child(f"benchmarks.{self.script.name}", payload, self.args.threads))

    def _row(self, case: Any, contender: str, measurements: list[Measurement]) -> dict[str, Any]:
        parameters = asdict(case)
        row = {**self.common, "case": parameters.pop("name"), "contender": contender}
        row |= {"objective": self.script.objective(contender), **parameters, **rows.result_columns(measurements)}
        print(f"{case.name}: {contender}: {row['seconds']} s, {row['peak_mib']} MiB, loss {row['loss']}", flush=True)
        return row

    def _compare(self, case: Any, found: dict[str, list[Measurement]]) -> None:
        """Say where contenders that should compute the same value do not: their times would say nothing."""
        values: dict[str, dict[str, float]] = {}
        for name, measurements in found.items():
            values.setdefault(self.script.objective(name), {})[name] = measurements[0].loss
        tolerance = 1e-3 if case.dtype == "float32" else 2e-2
        for objective, losses in values.items():
            low, high = min(losses.values()), max(losses.values())
            if not high - low <= tolerance * abs(high):  # NaN included
                print(f"{case.name}: the values of {objective} DISAGREE: {losses}", flush=True)


def _parser(script: Script) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{script.name}")
    add = parser.add_argument
    add("--preset", choices=PRESETS, default="quick", help="quick: tiny, to check the script; targets: the ratios of "
        "the report; full: one parameter varied at a time, all contenders")  # fmt: skip
    add("--only", action="append", default=[], metavar="NAME", help="a case or a contender; may be repeated")
    add("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    add("--repeats", type=int, help="processes of each contender and case, in alternation; default by preset")
    add("--runs", type=int, help="timed runs of each process; default by preset and time")
    add("--out", type=Path, default=rows.RESULTS, help="folder of the CSV files")
    add("--same-process", action="store_true", help="no processes of their own: quicker; the memory is not comparable")
    for name, default, text in script.options:
        add(f"--{name.replace('_', '-')}", default=default, type=type(default), help=f"{text}; default {default}")
    add("--case-json", help=argparse.SUPPRESS)
    return parser
