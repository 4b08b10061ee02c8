"""`import ntl_hf` and `ntl-hf --help` stay quick: heavy packages are loaded on first use only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ntl_hf
from ntl_hf import data

STUB = Path(data.__file__).with_suffix(".pyi")
HEAVY = ("torch", "transformers", "trl", "datasets", "matplotlib")
STARTS = {
    "import": "import ntl_hf; dir(ntl_hf)",
    "help": "from ntl_hf.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
    "help of a command": "from ntl_hf.cli.main import main\ntry: main(['inspect', '--help'])\nexcept SystemExit: pass",
}


@pytest.mark.parametrize("start", STARTS)
def test_nothing_heavy_is_imported(start):
    code = f"{STARTS[start]}\nimport sys\nprint('LOADED', [m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip().splitlines()[-1] == "LOADED []", run.stderr


@pytest.mark.parametrize("module", ["ntl_hf.data.number_text", "ntl_hf.evaluation"])
def test_reading_numbers_and_scoring_need_no_heavy_library(module):
    # Not even what torch and datasets bring along: it takes as long.
    code = f"import sys, {module}\nprint('LOADED', [m for m in {(*HEAVY, 'pandas', 'pyarrow')} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "LOADED []", run.stderr


def test_every_name_of_the_data_sets_is_there():
    for name in data.__all__:
        assert getattr(data, name) is not None
    (stub_all,) = (node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.Assign))
    assert set(data.__all__) == set(ast.literal_eval(stub_all.value)) and set(data.__all__) <= set(dir(data))
    # Of a name that is a module's too, the module would take the place when it is loaded.
    assert not set(data.__all__) & {path.stem for path in Path(data.__file__).parent.iterdir()}
    with pytest.raises(AttributeError, match="load_gsm9k"):
        _ = data.load_gsm9k


def test_every_public_name_is_there():
    for name in ntl_hf.__all__:
        assert getattr(ntl_hf, name).__name__ in (name, "NTLoss")
    assert set(ntl_hf.__all__) <= set(dir(ntl_hf))
    with pytest.raises(AttributeError, match="NTLTrainr"):
        _ = ntl_hf.NTLTrainr
