"""The wheel and the sdist: what is in them, what they say of themselves, and the wheel at work away from the checkout.

Installing into an environment made from nothing, and each extra alone, takes minutes: `make release-check`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ntl_hf import __version__
from ntl_hf.settings.recipe_files import recipe_names
from tests.docs.project import extras, pyproject

from .artefacts import ROOT, Artefacts, build

pytest.importorskip("build", reason="the package `build` is not installed")
pytestmark = pytest.mark.slow

# Beside the package itself.
IN_THE_SDIST = (
    *("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "Makefile", "constraints.txt"),
    *("constraints-lowest.txt", "mkdocs.yml"),
    *(".ci/run", ".github/workflows/ci.yml", "docs/losses.md", "docs/losses/beliefs.png"),
    *("recipes/t5-tiny/arithmetic.yaml", "examples/train_t5.py", "benchmarks/loss.py", "tests/tiny.py"),
)
LEFT_BEHIND = ("outputs/", "models/", "quickstart_out/", "site/", "dist/", ".venv", ".git/", ".pytest_cache")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    try:
        return build(tmp_path_factory.mktemp("dist"))
    except RuntimeError as error:
        # Without hatchling at hand it is fetched, which a machine without a network cannot.
        if "ConnectionError" in str(error) or "No matching distribution" in str(error):
            pytest.skip("hatchling is not installed and cannot be fetched")
        raise


@pytest.fixture(scope="module")
def installed(built: Artefacts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel alone in a folder; what it needs is this environment's."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([*command, str(built.wheel)], check=True, capture_output=True, timeout=120)
    return folder


def package_files() -> dict[str, Path]:
    """Name in the wheel to file of the checkout."""
    found = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "ntl_hf").rglob("*") if path.is_file()}
    recipes = {f"ntl_hf/{p.relative_to(ROOT).as_posix()}": p for p in (ROOT / "recipes").glob("*/*.yaml")}
    return {name: path for name, path in (found | recipes).items() if "__pycache__" not in name}


def test_the_wheel_is_the_package_and_nothing_else(built: Artefacts) -> None:
    files = built.wheel_files()
    ours = {name: content for name, content in files.items() if ".dist-info/" not in name}
    assert ours == {name: path.read_bytes() for name, path in package_files().items()}
    assert "ntl_hf/py.typed" in ours and "ntl_hf/recipes/accelerate/zero3.yaml" in ours
    assert "ntl_hf/recipes/smollm2-135m/gsm8k-lora.yaml" in ours
    (licence,) = (name for name in files if name.endswith(".dist-info/licenses/LICENSE"))
    assert files[licence] == (ROOT / "LICENSE").read_bytes()


def test_the_sdist_has_what_a_checkout_has(built: Artefacts) -> None:
    files = built.sdist_files()
    assert [name for name in IN_THE_SDIST if name not in files] == []
    assert [name for name in files if name.startswith(LEFT_BEHIND) or "__pycache__" in name] == []
    for name in package_files():
        # Only the wheel has recipes inside the package.
        assert name in files or name.removeprefix("ntl_hf/") in files


def test_it_describes_itself(built: Artefacts) -> None:
    metadata = built.metadata()
    assert (metadata["Name"], metadata["Version"]) == ("ntl-hf", __version__)
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == pyproject()["project"]["requires-python"]
    assert set(metadata.get_all("Provides-Extra", [])) == extras()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(needed) == len(pyproject()["project"]["dependencies"])


def run(installed: Path, *words: str, folder: Path, code: int = 0) -> str:
    surroundings = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", *words]
    done = subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_the_installed_wheel_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """The quickstart starts processes of its own, which must find the same package."""
    ask = "import ntl_hf, ntl_hf.cli.launch as l; print(ntl_hf.__file__, l.find_config('zero3'), sep='\\n')"
    for where in run(installed, "-c", ask, folder=tmp_path).splitlines():
        assert Path(where).is_relative_to(installed)
    command = ("-m", "ntl_hf.cli.main")
    assert run(installed, *command, "--version", folder=tmp_path) == f"ntl-hf {__version__}\n"
    assert "quickstart" in run(installed, *command, "--help", folder=tmp_path)
    assert "Written: quickstart_out" in run(
        installed, *command, "quickstart", "--debug", "--jobs", "1", folder=tmp_path
    )
    assert [path.name for path in tmp_path.iterdir()] == ["quickstart_out"]


def test_the_installed_wheel_runs_its_recipes_by_name(installed: Path, tmp_path: Path) -> None:
    """In a folder that holds nothing; the model is made there by the command that the error names."""
    command = ("-m", "ntl_hf.cli.main")
    listed = run(installed, *command, "recipes", folder=tmp_path)
    assert len(listed.splitlines()) == len(recipe_names()) and "tiny-decoder/readings " in listed
    words = ("sft", "--config", "tiny-decoder/readings", "--debug")
    told = run(installed, *command, *words, folder=tmp_path, code=2)
    assert "there is no folder 'models/tiny-decoder'" in told
    run(installed, *told.partition(" It is made by: python ")[2].split(), folder=tmp_path)
    run(installed, *command, *words, folder=tmp_path)
    # Its recipe is beside it, in the package; a variant that is not there is found out after both are read.
    words = ("compare", "--config", "tiny-decoder/compare-losses-readings", "--only", "nobody")
    assert "there is no such variant" in run(installed, *command, *words, folder=tmp_path, code=2)
    mistaken = run(installed, *command, "sft", "--config", "tiny-decoder/readngs", folder=tmp_path, code=2)
    assert "Did you mean 'tiny-decoder/readings'" in mistaken and str(installed) not in mistaken
    run(installed, *command, "recipes", "copy", "tiny-decoder/compare-losses-readings", "mine.yaml", folder=tmp_path)
    words = ("compare", "--config", "mine.yaml", "--only", "nobody")
    assert "there is no such variant" in run(installed, *command, *words, folder=tmp_path, code=2)
