"""`python -m tests.invariants.table [FOLDER]`: make all runs and write their figures into docs/distributed.md.

With a folder, what earlier runs left there is used again.
"""

import sys
import tempfile
from pathlib import Path

import torch

from tests.build import relative_difference
from tests.invariants.cases import CASES, MODES, Case, cases_of
from tests.invariants.launch import Runs
from tests.processes import ROOT

PAGE = ROOT / "docs" / "distributed.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
NAMES = {"ddp": "DDP", "fsdp2": "FSDP2", "zero2": "ZeRO-2", "zero3": "ZeRO-3", "tp": "TP"}
ADAPTERS = {
    None: "all parameters",
    "lora": "LoRA",
    "rows": "LoRA + number rows",
    "head": "LoRA + output head",
    "columns": "LoRA (q, k, v, gate, up)",
}
HEADS = {"llama": "untied", "llama-tied": "tied", "t5": "T5, tied"}


def case_table(runs: Runs) -> list[list[str]]:
    """A row a case: what it is, how far training moves the parameters, and the difference in each mode."""
    rows = [["Trainer", "Trained", "Head", "Loss from", "Moved by", *NAMES.values()]]
    for name, case in CASES.items():
        alone = runs.alone(name)
        moved = relative_difference(alone["started"], alone["parameters"])
        cells = [_difference(runs, mode, name) if mode in case.modes else "" for mode in MODES]
        rows.append([*_description(case), f"{moved:.1e}", *cells])
    return rows


def mode_table(runs: Runs) -> list[list[str]]:
    """A row a mode: what was in force, the largest differences, and the largest after a resumption."""
    rows = [["Mode", "Model wrapped in", "Processes", "Held by each", "Largest difference", "After resuming"]]
    for mode in MODES:
        names = cases_of(mode)
        first, alone = runs.trained(mode, "plain"), runs.alone("plain")
        shared = "optimizer state" if mode == "zero2" else "parameters"
        resumed = "" if mode == "tp" else f"{max(_resumed(runs, mode, name) for name in names):.1e}"
        rows.append(
            [
                NAMES[mode],
                f"`{first['wrapper']}`",
                str(first["world_size"]),
                f"{first['local'] / alone['local']:.0%} of the {shared}",
                f"{max(float(_difference(runs, mode, name)) for name in names):.1e}",
                resumed,
            ]
        )
    return rows


def _difference(runs: Runs, mode: str, name: str) -> str:
    found, wanted = runs.trained(mode, name)["parameters"], runs.alone(name)["parameters"]
    return f"{relative_difference(found, wanted):.1e}"


def _resumed(runs: Runs, mode: str, name: str) -> float:
    found, wanted = runs.resumed(mode, name)["parameters"], runs.trained(mode, name)["parameters"]
    return relative_difference(found, wanted)


def _description(case: Case) -> list[str]:
    checkpointing = case.arguments.get("activation_checkpointing")
    more = {None: "", True: ", checkpointing", False: ", no checkpointing"}[checkpointing]
    more += {"ragged": "", "unlabelled": ", a batch without labels", "many": ", packed"}[case.rows]
    loss = {"fused": "hidden states", "logits": "logits"}[case.head]
    loss += f", balanced `{case.config['loss']}`" if "loss" in case.config else ""
    return [f"`{case.trainer.__name__}`", ADAPTERS[case.adapter] + more, HEADS[case.architecture], loss]


def _markdown(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cell or '-' for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def main(folder: Path) -> None:
    """Write both tables between the marker lines of the page."""
    torch.set_num_threads(1)
    runs = Runs(folder)
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    figures = "\n\n".join(_markdown(rows) for rows in (mode_table(runs), case_table(runs)))
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
