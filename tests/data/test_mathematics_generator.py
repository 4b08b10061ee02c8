"""DeepMind's own generator: the folders of the original set, the same for a seed; what it cannot do here."""

import random
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from ntl_hf.data import generate_mathematics, load_mathematics

MODULES = ["arithmetic__add_sub_multiple", "numbers__round_number"]
LEVELS = ("train-easy", "train-medium", "train-hard", "interpolate")
needs_package = pytest.mark.skipif(
    find_spec("mathematics_dataset") is None,
    reason="mathematics_dataset is not installed (pip install 'ntl-hf[mathematics]')",
)


@needs_package
def test_what_is_written_can_be_read(tmp_path):
    state = random.getstate(), np.random.get_state()[1].tolist()
    generate_mathematics(tmp_path, MODULES, LEVELS, rows_per_file=20)
    assert state == (random.getstate(), np.random.get_state()[1].tolist())
    rows = load_mathematics(tmp_path, "train", numbers_only=True)
    assert len(rows) == 3 * 2 * 20
    assert len(load_mathematics(tmp_path, "interpolate", MODULES[:1])) == 20
    # The installed sympy is as it was.
    assert not hasattr(sys.modules["sympy.solvers.diophantine"], "base_solution_linear")


@needs_package
def test_a_file_depends_on_its_seed_alone(tmp_path):
    texts = {}
    for folder, modules, seed in (("a", MODULES, 1), ("b", MODULES[:1], 1), ("c", MODULES[:1], 2)):
        generate_mathematics(tmp_path / folder, modules, ["train-easy"], rows_per_file=20, seed=seed)
        texts[folder] = (tmp_path / folder / "train-easy" / f"{MODULES[0]}.txt").read_text()
    assert texts["a"] == texts["b"] != texts["c"]


@needs_package
def test_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"train-easy has no module 'arithmetic__mull'\. Did you mean 'arithmetic__mul'"
    ):
        generate_mathematics(tmp_path, ["arithmetic__mull"])
    with pytest.raises(ValueError, match=r"levels train-easy, .*, not 'train'"):
        generate_mathematics(tmp_path, MODULES, ["train"])
    with pytest.raises(ValueError, match="`rows_per_file` must be 1 or more, not 0"):
        generate_mathematics(tmp_path, rows_per_file=0)
    generate_mathematics(tmp_path, MODULES, ["train-easy"], rows_per_file=1)
    with pytest.raises(FileExistsError, match=r"add_sub_multiple.txt is there already"):
        generate_mathematics(tmp_path, MODULES, ["train-easy"], rows_per_file=1)


@needs_package
@pytest.mark.skipif(hasattr(np.ndarray, "itemset"), reason="the module runs with numpy below 2")
def test_a_module_that_this_numpy_does_not_run(tmp_path):
    with pytest.raises(
        ValueError, match=r"'polynomials__add' of mathematics_dataset does not run with numpy 2.*1\.23"
    ):
        generate_mathematics(tmp_path, ["polynomials__add"], ["train-easy"], rows_per_file=5)
    assert not list(tmp_path.rglob("*.txt"))


def test_the_package_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mathematics_dataset", None)
    for name in [name for name in sys.modules if name.startswith("mathematics_dataset.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"pip install 'ntl-hf\[mathematics\]'"):
        generate_mathematics(tmp_path, MODULES)
