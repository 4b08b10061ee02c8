"""The scripts of `benchmarks/` in tiny sizes: all contenders run, agree where they should, and are in the report."""

from pathlib import Path

import pytest
import torch

from benchmarks import loss, report, rows, startup, step
from benchmarks.script import Script, main

pytestmark = pytest.mark.slow

SCRIPTS = {"loss": loss.SCRIPT, "step": step.SCRIPT}
COMMON = ["--preset", "quick", "--device", "cpu", "--threads", "1"]


def run(script: Script, folder: Path, *options: str) -> None:
    main(script, [*COMMON, "--out", str(folder), *options])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("benchmarks")
    for script in SCRIPTS.values():
        run(script, path, "--same-process")
    return path


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_case_and_contender_has_a_row(folder: Path, name: str) -> None:
    found = rows.read(folder / f"{name}.csv")
    planned = {(case, contender) for case, names in planned_cases(name) for contender in names}
    assert {(row["case"], row["contender"]) for row in found} == planned
    for row in found:
        assert float(row["seconds_q1"]) <= float(row["seconds"]) <= float(row["seconds_q3"])
        assert float(row["seconds"]) > 0 and float(row["peak_mib"]) >= 0
        assert row["torch"] and row["device"] == "cpu"


def planned_cases(name: str) -> list[tuple[str, list[str]]]:
    script, options = SCRIPTS[name], {name: default for name, default, _ in SCRIPTS[name].options}
    device = torch.device("cpu")
    return [
        (case.name, [n for n in names if script.why_not(case, n, device, options) is None])
        for case, names in script.plan("quick", device, options)
    ]


@pytest.mark.parametrize("name", SCRIPTS)
def test_contenders_with_the_same_objective_have_the_same_value(folder: Path, name: str) -> None:
    losses: dict[tuple[str, str], list[float]] = {}
    for row in rows.read(folder / f"{name}.csv"):
        losses.setdefault((row["case"], row["objective"]), []).append(float(row["loss"]))
    assert max(len(values) for values in losses.values()) > 2
    for values in losses.values():
        assert values == pytest.approx([values[0]] * len(values), rel=1e-3)


def test_the_number_loss_is_in_the_value(folder: Path) -> None:
    for name in SCRIPTS:
        found = {(row["case"], row["objective"]): float(row["loss"]) for row in rows.read(folder / f"{name}.csv")}
        assert all(value > found[case, "CE"] for (case, objective), value in found.items() if objective != "CE")


def test_report(folder: Path, capsys: pytest.CaptureFixture) -> None:
    startup.main(["--out", str(folder), "--repeats", "1", "--vocab-size", "2000"])
    report.main(["--out", str(folder), "--quick", "--device", "cpu"])
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "NTLSFTTrainer / SFTTrainer; all labelled" in line)
    found = {row["contender"]: row for row in rows.read(folder / "step.csv") if row["case"] == "two-layers"}
    ours, theirs = (float(found[name]["seconds"]) for name in ("NTLSFTTrainer", "SFTTrainer"))
    assert f"| {ours / theirs:.2f} |" in line
    assert "| ntl-hf --help |" in printed
    for name in SCRIPTS:
        assert (folder / f"{name}-cpu.png").read_bytes().startswith(b"\x89PNG")


def test_a_process_of_its_own_finds_the_same_value(folder: Path, tmp_path: Path) -> None:
    run(loss.SCRIPT, tmp_path, "--only", "base", "--only", "ours-fused", "--repeats", "1")
    (row,) = rows.read(tmp_path / "loss.csv")
    inside = rows.read(folder / "loss.csv")[0]
    assert (row["case"], row["contender"]) == (inside["case"], inside["contender"]) == ("base", "ours-fused")
    assert float(row["loss"]) == pytest.approx(float(inside["loss"]), rel=1e-6)


def test_what_fails_is_said_and_has_no_row(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = ["--only", "base", "--only", "ours-fused", "--hidden-size", "-1", "--repeats", "1"]
    main(loss.SCRIPT, ["--preset", "targets", "--device", "cpu", "--threads", "1", "--out", str(tmp_path), *options])
    assert "base: ours-fused failed: " in capsys.readouterr().out
    assert not (tmp_path / "loss.csv").exists()


def test_bad_options(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"--only ours: known are base, .*ours-fused"):
        run(loss.SCRIPT, tmp_path, "--only", "ours")
    (tmp_path / "loss.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match="has other columns"):
        run(loss.SCRIPT, tmp_path, "--only", "base", "--only", "ours-fused", "--same-process")
