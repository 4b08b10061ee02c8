"""The ratios that count, as a Markdown table on stdout, and one picture a script: `python -m benchmarks.report`."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import rows
from .plots import save_bars, thread_count

Row = dict[str, str]
_MISSING = "not measured"
_PAGES = Path(__file__).parents[1] / "docs" / "benchmarks"


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs, in one case."""

    title: str
    script: str
    case: str
    ours: str
    theirs: str


# Names of cases that differ from the base in one parameter, as in `loss.CASES`.
_HALF, _LONG, _MANY = "labelled=0.5", "tokens=4096", "number_tokens=1110"
_SFT, _NTL_SFT, _SFT_NTLOSS = "SFTTrainer", "NTLSFTTrainer", "SFTTrainer+ntloss"
RATIOS = (
    Ratio("Head, CE + NTL / TRL's CE; all labelled", "loss", "base", "ours-fused", "trl-ce"),
    Ratio("Head, CE + NTL / TRL's CE; half masked", "loss", _HALF, "ours-fused", "trl-ce"),
    Ratio("Head, CE + NTL / CE on logits; 4,096 tokens", "loss", _LONG, "ours-fused", "plain-ce"),
    Ratio("Given logits, CE + NTL / CE + ntloss", "loss", "base", "ours-logits", "ntloss-logits"),
    Ratio("Step of two layers, NTLSFTTrainer / SFTTrainer; all labelled", "step", "two-layers", _NTL_SFT, _SFT),
    Ratio("The same; half masked", "step", "two-layers, half masked", _NTL_SFT, _SFT),
    Ratio("Step of two layers, NTLSFTTrainer / SFTTrainer with ntloss", "step", "two-layers", _NTL_SFT, _SFT_NTLOSS),
    Ratio("Step of SmolLM2-135M (LoRA), NTLSFTTrainer / SFTTrainer", "step", "smollm2-135m", _NTL_SFT, _SFT),
    Ratio("Step of Llama-1B size (LoRA), NTLSFTTrainer / SFTTrainer", "step", "llama-1b", _NTL_SFT, _SFT),
    Ratio("Step of Granite-2B size (LoRA), NTLSFTTrainer / SFTTrainer", "step", "granite-2b", _NTL_SFT, _SFT),
)  # fmt: skip
NTL_COST_CASES = ("vocab_size=32128", "base", "vocab_size=262144", _MANY)


class Results:
    """The rows of a folder that were measured on one kind of device; of one comparison, the last run that has it.

    Args:
        folder: of the CSV files.
        device: "cpu" or "cuda".
        presets: that count.
    """

    def __init__(self, folder: Path, device: str, presets: tuple[str, ...]) -> None:
        self.rows = {
            script: [row for row in rows.read(folder / f"{script}.csv") if _counts(row, device, presets)]
            for script in ("loss", "step", "startup")
        }

    def last_run(self, script: str) -> list[Row]:
        """All rows of the last run."""
        found = self.rows[script]
        return [row for row in found if row["run"] == found[-1]["run"]]

    def latest(self, script: str) -> list[Row]:
        """Of each case, and start from hidden states or from logits, the rows of the last run that has it."""
        groups: dict[tuple[str, bool], list[Row]] = {}
        for row in self.rows[script]:
            key = row["case"], row["contender"].endswith("-logits")
            if groups.get(key, [row])[0]["run"] != row["run"]:
                groups[key] = []
            groups.setdefault(key, []).append(row)
        return [row for rows_of_group in groups.values() for row in rows_of_group]

    def together(self, script: str, case: str, *contenders: str) -> list[Row] | None:
        """The rows of some contenders in a case, out of the last run that has all of them."""
        runs: dict[str, dict[str, Row]] = {}
        for row in self.rows[script]:
            if row["case"] == case:
                runs.setdefault(row["run"], {})[row["contender"]] = row
        complete = [found for found in runs.values() if set(contenders) <= found.keys()]
        return [complete[-1][name] for name in contenders] if complete else None


def _counts(row: Row, device: str, presets: tuple[str, ...]) -> bool:
    return row["device"] == device and row["preset"] in presets


def ratio_table(results: Results) -> Iterator[str]:
    """Lines of Markdown: time and memory, ours over theirs."""
    yield "| ours / theirs | time | seconds | peak memory | MiB |"
    yield "|---|---|---|---|---|"
    for ratio in RATIOS:
        found = results.together(ratio.script, ratio.case, ratio.ours, ratio.theirs)
        cells = [_MISSING] + [""] * 3 if found is None else [*_cells(found, "seconds"), *_cells(found, "peak_mib")]
        yield f"| {ratio.title} | {' | '.join(cells)} |"


def _cells(found: list[Row], column: str) -> tuple[str, str]:
    ours, theirs = (float(row[column]) for row in found)
    digits = ",.0f" if column == "peak_mib" else ".3g"
    return f"{ours / theirs:.2f}" if theirs else "-", f"{ours:{digits}} / {theirs:{digits}}"


def cost_table(results: Results) -> Iterator[str]:
    """Lines of Markdown: what NTL adds to CE in our head."""
    yield "| NTL's own cost | V | D | CE + NTL (s) | CE (s) | difference (s) | quartiles of the two (s) |"
    yield "|---|---|---|---|---|---|---|"
    for case in NTL_COST_CASES:
        found = results.together("loss", case, "ours-fused", "ours-fused-ce-only")
        if found is None:
            yield f"| {case} | {_MISSING} | | | | | |"
            continue
        both, ce = (float(row["seconds"]) for row in found)
        sizes = f"{int(found[0]['vocab_size']):,} | {int(found[0]['number_tokens']):,}"
        # A difference well within these is noise.
        spread = " and ".join(f"{float(row['seconds_q1']):.3g} to {float(row['seconds_q3']):.3g}" for row in found)
        yield f"| {case} | {sizes} | {both:.3g} | {ce:.3g} | {both - ce:+.2g} | {spread} |"


def startup_table(results: Results) -> Iterator[str]:
    """Lines of Markdown: what happens once."""
    yield "| once | seconds |"
    yield "|---|---|"
    for row in results.last_run("startup") if results.rows["startup"] else []:
        tokens = f", {int(row['vocab_size']):,} tokens" if row["vocab_size"] else ""
        yield f"| {row['case']}{tokens} | {float(row['seconds']):.2g} |"


def provenance(results: Results) -> Iterator[str]:
    """A line a script: where, when and with what its last run was."""
    for script, found in results.rows.items():
        if found:
            row = found[-1]
            versions = ", ".join(f"{name} {row[name]}" for name in rows.PACKAGES)
            yield f"{script}: {row['date']}, {row['device_name']}, {thread_count(row)}, {versions}"


def main(arguments: list[str] | None = None) -> None:
    args = _parser().parse_args(arguments)
    presets = ("quick",) if args.quick else ("targets", "full")
    results = Results(args.out, args.device, presets)
    for lines in (ratio_table, cost_table, startup_table, provenance):
        print("\n".join(lines(results)), end="\n\n")
    for script in ("loss", "step"):
        if results.rows[script]:
            path = _picture_folder(args) / f"{script}-{args.device}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_bars(results.latest(script), path)
            print(path)


def _picture_folder(args: argparse.Namespace) -> Path:
    # The committed rows have their pictures in the docs.
    return args.pictures or (_PAGES if args.out == rows.RESULTS and not args.quick else args.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report")
    parser.add_argument("--out", type=Path, default=rows.RESULTS, help="folder of the CSV files")
    parser.add_argument("--pictures", type=Path, help="folder of the pictures (default: docs/benchmarks, or --out's)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="rows of the preset quick, which say nothing, alone")
    return parser


if __name__ == "__main__":
    main()
