"""What the library declares: the packages that it imports, versions that were run, a Python that can have them."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, requires
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.docs.project import pyproject

from .artefacts import ROOT

# Imported by these frameworks themselves, where they are installed.
OTHERS = {"axolotl", "pydantic"}
INTEGRATIONS = ROOT / "ntl_hf" / "integrations"


def imported_at_once(path: Path) -> Iterator[str]:
    """Top-level packages that a module imports when it is imported; not those inside functions or for types alone."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """The dependencies, and what these need themselves."""
    names = {normal(Requirement(line).name) for line in pyproject()["project"]["dependencies"]}
    through = (Requirement(line) for name in names for line in requires(name) or ())
    return names | {
        normal(each.name) for each in through if each.marker is None or each.marker.evaluate({"extra": ""})
    }


def test_every_import_is_declared() -> None:
    distributions, known, missing = packages_distributions(), declared(), set()
    for path in (ROOT / "ntl_hf").rglob("*.py"):
        allowed = OTHERS if path.is_relative_to(INTEGRATIONS) else set()
        for name in set(imported_at_once(path)) - sys.stdlib_module_names - allowed - {"ntl_hf"}:
            if not known & set(map(normal, distributions.get(name, [name]))):
                missing.add(f"{path.relative_to(ROOT)}: {name}")
    assert not missing


def test_what_is_not_declared_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import os\nfrom gradio.themes import Soft\ndef f():\n    import wandb\n")
    assert list(imported_at_once(module)) == ["os", "gradio"]
    assert "gradio" not in declared() and {"torch", "numpy"} <= declared()


def requirements() -> dict[str, list[Requirement]]:
    """Name to requirements: dependencies and extras, without this project's own extras."""
    project = pyproject()["project"]
    lines = chain(project["dependencies"], *project["optional-dependencies"].values())
    found: dict[str, list[Requirement]] = {}
    for each in map(Requirement, [*lines, *pyproject()["build-system"]["requires"]]):
        found.setdefault(normal(each.name), []).append(each)
    return {name: each for name, each in found.items() if name != "ntl-hf"}


def pins(name: str) -> dict[str, Version]:
    """Name to version of a file of constraints."""
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {normal(package): Version(version) for package, version in (line.split("==") for line in lines)}


NEWEST, LOWEST = pins("constraints.txt"), pins("constraints-lowest.txt")
# Without a pin: `make release-check` takes the newest.
UNPINNED = {"lm-eval"}
every_package = pytest.mark.parametrize("name", sorted(requirements().keys() - UNPINNED))


@every_package
def test_what_was_run_is_allowed(name: str) -> None:
    for requirement in requirements()[name]:
        versions = [each[name] for each in (NEWEST, LOWEST) if name in each]
        assert versions and all(version in requirement.specifier for version in versions), requirement


@every_package
def test_a_lower_bound_is_a_version_that_was_run(name: str) -> None:
    """To the precision of the bound: `>=5.23` where 5.23.0 was run."""
    run = LOWEST.get(name) or NEWEST[name]
    for requirement in requirements()[name]:
        bounds = [Version(each.version) for each in requirement.specifier if each.operator in (">=", "==")]
        assert len(bounds) == 1 and bounds[0].release == run.release[: len(bounds[0].release)], f"{requirement}: {run}"


def lowest_python() -> Version:
    (bound,) = SpecifierSet(pyproject()["project"]["requires-python"])
    assert bound.operator == ">="
    return Version(bound.version)


@every_package
def test_the_promised_python_can_have_it(name: str) -> None:
    try:
        wanted = metadata(name).get("Requires-Python")
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    assert wanted is None or lowest_python() in SpecifierSet(wanted)


def test_one_python_is_promised_everywhere() -> None:
    python = lowest_python()
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "CHANGELOG.md"]
    promised = [each for page in pages for each in re.findall(r"Python (3\.[0-9]+) or later", page.read_text("utf-8"))]
    assert len(promised) >= 2 and {Version(each) for each in promised} == {python}
    assert pyproject()["tool"]["ruff"]["target-version"] == f"py{python.major}{python.minor}"
    assert pyproject()["tool"]["mypy"]["python_version"] == str(python)
    classes = pyproject()["project"]["classifiers"]
    versions = [Version(each.rpartition(" ")[2]) for each in classes if re.search(r":: 3\.[0-9]+$", each)]
    assert min(versions) == python
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        for each in re.findall(r'python-version: "([0-9.]+)"', workflow.read_text("utf-8")):
            assert Version(each) >= python, workflow.name
