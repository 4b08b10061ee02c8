"""The rooms of the package: what lies at its root, and imports by string, which `lint-imports` does not read."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ntl_hf"
CONTRACT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
ROOMS: list[str] = CONTRACT["layers"][::-1]
_RELATIVE = re.compile(r"(\.*)(\w+(?:\.\w+)*)\.?")


def imports_by_string(path: Path, source: str) -> set[str]:
    """The rooms that strings of a file name, such as `import_module("..runs.evaluate", __package__)`."""
    if "import_module" not in source:
        return set()
    package = path.relative_to(PACKAGE).parts[:-1]
    rooms = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = _RELATIVE.fullmatch(node.value)
            if found and found[1]:
                # A table's names get one more dot where they are imported.
                for dots in {len(found[1]), len(found[1]) + 1}:
                    rooms.add((*package[: max(len(package) - dots + 1, 0)], *found[2].split("."))[0])
            elif found and found[2].startswith("ntl_hf."):
                rooms.add(found[2].split(".")[1])
    return rooms & set(ROOMS)


def test_nothing_lies_at_the_root_but_the_rooms() -> None:
    names = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert names == {"__init__.py", "py.typed", *ROOMS}


@pytest.mark.parametrize("room", ROOMS)
def test_no_string_imports_from_a_room_above(room: str) -> None:
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    for path in (PACKAGE / room).rglob("*.py"):
        assert imports_by_string(path, path.read_text(encoding="utf-8")) <= allowed, path


def test_imports_by_string_are_found() -> None:
    text = (
        'import_module(f"..{name}")\nimport_module("..runs.evaluate", __package__)\nimport_module("ntl_hf.cli.main")'
    )
    assert imports_by_string(PACKAGE / "compare" / "training.py", text) == {"runs", "cli"}
