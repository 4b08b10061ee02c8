"""`import ntl_hf` and `ntl-hf --help` stay quick: heavy packages are loaded on first use only."""

import subprocess
import sys

import pytest

import ntl_hf

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


def test_every_public_name_is_there():
    for name in ntl_hf.__all__:
        assert getattr(ntl_hf, name).__name__ in (name, "NTLoss")
    assert set(ntl_hf.__all__) <= set(dir(ntl_hf))
    with pytest.raises(AttributeError, match="NTLTrainr"):
        _ = ntl_hf.NTLTrainr
