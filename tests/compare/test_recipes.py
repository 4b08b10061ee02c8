"""Every comparison in `recipes/`: its file is read, and the settings of every cell and evaluation are accepted."""

import re
from pathlib import Path

import pytest

from ntl_hf.compare.cells import check_evaluations, make_cells
from ntl_hf.compare.plan import read_plan
from ntl_hf.settings.losses import LOSSES

ROOT = Path(__file__).parents[2]
COMPARISONS = sorted((ROOT / "recipes").glob("*/compare-*.yaml"))
every_comparison = pytest.mark.parametrize("path", COMPARISONS, ids=lambda p: f"{p.parent.name}/{p.stem}")


@every_comparison
def test_every_cell_and_evaluation_is_accepted(path):
    plan = read_plan(path)
    # A recipe is for a GPU, most likely; the tests are for any machine.
    cells = make_cells(plan, ["--use_cpu", "true"])
    check_evaluations(cells)
    assert len({cell.folder for cell in cells}) == len(plan.variants) * len(plan.seeds)
    assert cells[0].variant == plan.baseline and cells[0].ntl["weight"] == cells[0].ntl["gaussian_sigma"] == 0


@every_comparison
def test_it_names_its_recipe_so_that_a_copy_of_it_finds_it_too(path, tmp_path):
    copy = tmp_path / "mine.yaml"
    copy.write_text(path.read_text())
    assert read_plan(copy).recipe == read_plan(path).recipe
    assert read_plan(path).recipe.parent == path.parent


@every_comparison
def test_the_name_of_a_variant_says_what_it_is(path):
    """The paper's code has commands that train another loss than their name says."""
    named = "|".join(["NTL", *LOSSES])
    for cell in make_cells(read_plan(path), ["--use_cpu", "true"]):
        assert (cell.ntl["weight"] > 0) == bool(re.search(rf"\b({named})\b", cell.variant, re.IGNORECASE))
        assert (cell.ntl["gaussian_sigma"] > 0) == ("GCE" in cell.variant)
        assert (cell.ntl["place_weights"] != "none") == ("by place" in cell.variant)
        for loss, weight in re.findall(rf"\b({'|'.join(LOSSES)})(?: by place)? ([\d.]+)", cell.variant, re.IGNORECASE):
            assert (cell.ntl["loss"], cell.ntl["weight"]) == (loss.lower(), float(weight))


@every_comparison
def test_it_says_what_it_is_for_and_whether_it_was_run(path):
    first, second = path.read_text().splitlines()[:2]
    runs = r"Not run yet; the tests parse it|Run (as it stands|in bfloat16); .+"
    assert re.fullmatch(rf"# Hardware: .+\. ({runs})\.", first), first
    assert second == f"# Command: ntl-hf compare --config {path.parent.name}/{path.stem}"
    assert str(read_plan(path).output_dir) == f"outputs/{path.parent.name}-{path.stem}"
