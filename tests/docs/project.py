"""What the project says of itself: its extras, make targets and tests."""

import re
import tomllib
from functools import cache
from typing import Any

from .blocks import ROOT


@cache
def pyproject() -> dict[str, Any]:
    """The contents of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def extras() -> set[str]:
    """Names of the optional dependencies."""
    return set(pyproject()["project"]["optional-dependencies"])


def make_targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def in_the_tests(name: str) -> bool:
    """Whether a test outside this folder names a file."""
    return any(
        name in path.read_text(encoding="utf-8")
        for path in (ROOT / "tests").rglob("*.py")
        if path.parent != ROOT / "tests" / "docs"
    )
