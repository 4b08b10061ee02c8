"""What the library imports on its way in comes with what it declares: no package that a developer has by chance."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

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
