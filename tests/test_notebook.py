"""`examples/number_token_loss.ipynb`: runs from top to bottom without a network, and is kept without outputs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "number_token_loss.ipynb"


def read() -> Any:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    return nbformat.read(NOTEBOOK, as_version=4)


def test_is_committed_without_outputs() -> None:
    cells = [cell for cell in read().cells if cell.cell_type == "code"]
    assert len(cells) > 5
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
    assert NOTEBOOK.stat().st_size < 30_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The code cells after a run in a kernel of this interpreter."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    # What it writes must not end in the checkout.
    folder = tmp_path_factory.mktemp("notebook")
    notebook = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(_kernel(folder)))
        client = nbclient.NotebookClient(
            notebook, timeout=240, kernel_name="this", resources={"metadata": {"path": str(folder)}}
        )
        client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _kernel(folder: Path) -> Path:
    """A folder for JUPYTER_PATH with a kernel that is this interpreter, offline and with one thread."""
    spec = folder / "jupyter" / "kernels" / "this"
    spec.mkdir(parents=True)
    settings = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "this",
        "language": "python",
        "env": {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    }
    (spec / "kernel.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder / "jupyter"


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


@pytest.mark.slow
def test_every_cell_runs(run: list[Any]) -> None:
    assert [cell.execution_count for cell in run] == list(range(1, len(run) + 1))
    assert not [output for cell in run for output in cell.outputs if output.output_type == "error"]


@pytest.mark.slow
def test_the_table_has_the_losses_of_their_formulas(run: list[Any]) -> None:
    lines = next(printed(cell) for cell in run if "digit " in printed(cell)).splitlines()
    assert lines[0].split() == ["digit", "was", "mse", "crps", "CE"]
    for digit, line in enumerate(lines[1:]):
        p = [0.95 if j == digit else 0.05 / 9 for j in range(10)]
        mean = sum(share * j for j, share in enumerate(p))
        was = sum(share * abs(j - 4) for j, share in enumerate(p))
        spread = sum(a * b * abs(i - j) for i, a in enumerate(p) for j, b in enumerate(p))
        found = [float(text) for text in line.split()]
        assert found[:4] == pytest.approx([digit, was, (mean - 4) ** 2, was - spread / 2], abs=0.006)


@pytest.mark.slow
def test_the_models_learn_and_are_drawn(run: list[Any]) -> None:
    pictures = [output for cell in run for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    lines = [line for cell in run for line in printed(cell).splitlines() if "mean absolute error" in line]
    errors = [float(line.rpartition(" ")[2]) for line in lines]
    # Far below that of the best constant, 158, and not below that of the noise, 12, by more than 40 rows allow.
    assert len(errors) == 4 and all(6 < error < 80 for error in errors)
