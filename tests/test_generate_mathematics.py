"""DeepMind's own generator, as `examples/generate_mathematics.py` runs it: the folders of the original set, the same
for a seed; what it cannot do here."""

import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ntl_hf.data import load_mathematics

SCRIPT = Path(__file__).parents[1] / "examples" / "generate_mathematics.py"
MODULES = ["arithmetic__add_sub_multiple", "numbers__round_number"]
LEVELS = ("train-easy", "train-medium", "train-hard", "interpolate")
needs_package = pytest.mark.skipif(
    find_spec("mathematics_dataset") is None,
    reason="mathematics_dataset is not installed (pip install mathematics_dataset==1.0.1 'sympy>=1.14')",
)
generate = runpy.run_path(str(SCRIPT))["generate"]


@needs_package
def test_what_the_command_writes_can_be_read(tmp_path):
    options = ("--modules", *MODULES, "--levels", *LEVELS, "--rows_per_file", "20")
    done = subprocess.run([sys.executable, SCRIPT, tmp_path, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = load_mathematics(tmp_path, "train", numbers_only=True)
    assert len(rows) == 3 * 2 * 20
    assert len(load_mathematics(tmp_path, "interpolate", MODULES[:1])) == 20
    done = subprocess.run([sys.executable, SCRIPT, tmp_path, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "is there already; choose another folder." in done.stderr


@needs_package
def test_a_file_depends_on_its_seed_alone(tmp_path):
    texts = {}
    for folder, modules, seed in (("a", MODULES, 1), ("b", MODULES[:1], 1), ("c", MODULES[:1], 2)):
        generate(tmp_path / folder, modules, ["train-easy"], rows_per_file=20, seed=seed)
        texts[folder] = (tmp_path / folder / "train-easy" / f"{MODULES[0]}.txt").read_text()
    assert texts["a"] == texts["b"] != texts["c"]


@needs_package
def test_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"train-easy has no module 'arithmetic__mull'\. Did you mean 'arithmetic__mul'"
    ):
        generate(tmp_path, ["arithmetic__mull"])
    with pytest.raises(ValueError, match=r"levels train-easy, .*, not 'train'"):
        generate(tmp_path, MODULES, ["train"])
    with pytest.raises(ValueError, match="`rows_per_file` must be 1 or more, not 0"):
        generate(tmp_path, rows_per_file=0)
    generate(tmp_path, MODULES, ["train-easy"], rows_per_file=1)
    with pytest.raises(FileExistsError, match=r"add_sub_multiple.txt is there already"):
        generate(tmp_path, MODULES, ["train-easy"], rows_per_file=1)


@needs_package
@pytest.mark.skipif(hasattr(np.ndarray, "itemset"), reason="the module runs with numpy below 2")
def test_a_module_that_this_numpy_does_not_run(tmp_path):
    with pytest.raises(
        ValueError, match=r"'polynomials__add' of mathematics_dataset does not run with numpy 2.*1\.23"
    ):
        generate(tmp_path, ["polynomials__add"], ["train-easy"], rows_per_file=5)
    assert not list(tmp_path.rglob("*.txt"))


def test_the_package_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mathematics_dataset", None)
    for name in [name for name in sys.modules if name.startswith("mathematics_dataset.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"pip install mathematics_dataset==1\.0\.1"):
        generate(tmp_path, MODULES)
