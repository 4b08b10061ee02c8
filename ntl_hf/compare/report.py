"""The report of a comparison, made from what its folder holds: text, tables and pictures."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ..evaluation.table import DASH, markdown_table
from ..settings.config import NTLConfig
from ..settings.recipe_files import display_name
from ..settings.redaction import redacted
from .cells import Cell
from .plan import Plan
from .results import Result, read_results
from .summary import Score, count_cells, count_comparisons, summarize
from .tables import differences_table, means_table, scores_table, write_results, write_summary

REPORT, RESULTS, SUMMARY, PLOTS = "report.md", "results.csv", "summary.csv", "plots"
# Of the number loss: columns of their own, or no part of it.
_SHOWN = ("weight", "loss", "head")


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        plan: what was asked for.
        scores: the numbers of the tables.
        missing: names of the cells that are not finished.
        files: paths.
    """

    plan: Plan
    scores: list[Score]
    missing: list[str]
    files: list[Path]


def write_report(plan: Plan, cells: Sequence[Cell], failures: Sequence[tuple[str, str]] = ()) -> Report:
    """Write `report.md`, `results.csv`, `summary.csv` and the plots into the comparison's folder.

    Args:
        plan: of the comparison.
        cells: all that it asks for; those that are not finished are named in the report.
        failures: names of cells that failed, with the last line of their error.

    Raises:
        ValueError: no cell is finished, one was trained with another loss than its variant asks for, or cells were
            evaluated on different rows.
    """
    results = read_results(cells)
    if not results:
        raise ValueError(f"No cell of {plan.output_dir} is finished: there is nothing to report.")
    done = {(result.variant, result.seed) for result in results}
    missing = [cell.name for cell in cells if (cell.variant, cell.seed) not in done]
    scores = summarize(plan, results)
    plots = _draw(plan, results)
    text = "\n\n".join(_sections(plan, results, scores, missing, failures, plots)) + "\n"
    files = [plan.output_dir / name for name in (REPORT, RESULTS, SUMMARY)]
    files[0].write_text(text, encoding="utf-8")
    write_results(files[1], results)
    write_summary(files[2], scores)
    return Report(plan, scores, missing, [*files, *plots.values()])


def print_summary(console: Console, report: Report) -> None:
    """Print mean and spread of every variant, one table an evaluation, and how many cells are missing."""
    for evaluation in report.plan.evaluations:
        console.print(means_table(report.plan, report.scores, evaluation))
    if report.missing:
        console.print(f"{len(report.missing)} cells are missing.", style="yellow", highlight=False)


def _draw(plan: Plan, results: Sequence[Result]) -> dict[str, Path]:
    from ..plots import can_plot
    from .plots import save_plots

    folder = plan.output_dir / PLOTS
    # Those of an earlier report would not belong to this one.
    for path in folder.glob("*.png"):
        path.unlink()
    return save_plots(folder, plan, results) if can_plot() else {}


def _sections(
    plan: Plan,
    results: Sequence[Result],
    scores: Sequence[Score],
    missing: Sequence[str],
    failures: Sequence[tuple[str, str]],
    plots: dict[str, Path],
) -> list[str]:
    sections = [f"# {plan.output_dir.name}", _describe(plan, results)]
    if plan.debug:
        sections.append("**A debug run: a few steps on a few rows. Its figures say nothing.**")
    if failures:
        sections.append("**Failed:**\n\n" + "\n".join(f"- {name}: {message}" for name, message in failures))
    if missing:
        sections.append(
            f"**Missing, {len(missing)} of {len(plan.variants) * len(plan.seeds)} cells:** {'; '.join(missing)}."
        )
    sections += ["## What was trained", _SETTINGS_NOTE, _settings_table(plan, results)]
    for evaluation, settings in plan.evaluations.items():
        fields = ", ".join(f"{key}: {value}" for key, value in redacted(settings).items())
        sections += [f"## {evaluation}", fields, scores_table(plan, scores, evaluation, count_cells(results))]
        if plan.others:
            sections.append(differences_table(plan, scores, evaluation))
    sections += ["## How to read the tables", _notes(plan, scores), "## Plots"]
    sections += [f"![{title}]({PLOTS}/{path.name})" for title, path in plots.items()] or [_NO_PLOTS]
    return sections


_SETTINGS_NOTE = (
    "As read back from what each trainer saved (`ntl_config.json`, `cell.json`), not from the file of the comparison."
)
_NO_PLOTS = "None: matplotlib is missing (`pip install 'ntl-hf[plots]'`, then the same command with `--report_only`)."


def _describe(plan: Plan, results: Sequence[Result]) -> str:
    source, recipe = shlex.quote(plan.source), display_name(plan.recipe)
    seeds = ", ".join(map(str, plan.seeds))
    versions = dict.fromkeys(
        ", ".join(f"{name} {number}" for name, number in result.record.get("versions", {}).items())
        for result in results
    )
    lines = [
        f"- `ntl-hf compare --config {source}`: every variant by `ntl-hf {plan.command}` from `{recipe}`",
        f"- seeds: {seeds}; one seed gives all variants the same initial weights and the same order of rows",
        f"- baseline: {plan.baseline}",
        f"- versions: {'; '.join(versions)}",
    ]
    return "\n".join(lines)


def _settings_table(plan: Plan, results: Sequence[Result]) -> str:
    varied = _varied(results)
    rows = []
    for variant in plan.variants:
        cells = [result for result in results if result.variant == variant]
        if not cells:
            rows.append([variant, "0", *[DASH] * 4])
            continue
        ntl, settings = cells[0].ntl, cells[0].record["settings"]
        others = {key: settings[key] for key in varied if key in settings}
        loss = ntl["loss"] if ntl["weight"] else "none"
        rows.append([variant, str(len(cells)), f"{ntl['weight']:g}", loss, _show(_unusual(ntl)), _show(others)])
    header = ["variant", "seeds", "NTL weight", "NTL loss", "NTL settings other than default", "other settings"]
    return markdown_table(header, rows)


def _unusual(ntl: dict[str, Any]) -> dict[str, Any]:
    default = NTLConfig()
    return {
        key: value
        for key, value in ntl.items()
        if key not in _SHOWN and value != getattr(default, key, None) and not (ntl["weight"] == 0 and key in _OF_NTL)
    }


# Without weight they change nothing.
_OF_NTL = ("reweigh", "squash_factor", "p", "huber_delta", "weight_schedule", "warmup_steps")


def _varied(results: Sequence[Result]) -> list[str]:
    """The settings, beside those of the number loss and the seed, in which the cells differ."""
    keys = dict.fromkeys(key for result in results for key in result.record["settings"])
    return [
        key
        for key in keys
        if key != "seed"
        and not key.startswith("ntl_")
        and len({repr(result.record["settings"].get(key)) for result in results}) > 1
    ]


def _show(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or DASH


def _notes(plan: Plan, scores: Sequence[Score]) -> str:
    count = count_comparisons(scores)
    lines = [
        "- Mean ± sample standard deviation over seeds. ↑: higher is better, ↓: lower is better. (2 of 3): the metric "
        "is undefined for one of three seeds, as an error is where no answer can be read.",
        f"- Differences are to {plan.baseline}, seed by seed. In brackets: 95 % bootstrap interval of the mean "
        "difference when the test rows are resampled, the trained models being what they are; a row is drawn with its "
        "answers of all seeds.",
        "- Errors and correlations (MAE, R2, ...) are over the answers that can be read, those named `charged` over "
        "all. Differences of the former, with their intervals and tests, are over the rows that both variants have "
        "answered readably, so that they may be others than the differences of the means.",
    ]
    if count:
        lines.append(
            f"- p: two-sided paired t-test over seeds, in parentheses corrected for the {count} comparisons of this "
            "report (Holm). Bold: better than the baseline with a corrected p below .05; with a few seeds this is "
            "rarely reached."
        )
    else:
        lines.append("- One seed: no test over seeds, and nothing is bold. `p rows`: McNemar's test, not corrected.")
    return "\n".join(lines)
