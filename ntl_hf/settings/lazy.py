"""Packages whose names are loaded on first use: which names there are, the package's stub says (`__init__.pyi`)."""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def attach_stub(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package, as `lazy_loader` makes them of a stub.

    The stub is what type checkers and the documentation read, so that no second list of the names can differ from it.

    Args:
        package: its `__name__`.
        file: its `__file__`. The stub beside it has one `from .module import name` after another, and its own
            `__all__`.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    module_of = {alias.name: node.module for node in imports for alias in node.names}

    def load(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{module_of[name]}", package), name)

    return load, lambda: sorted([*vars(import_module(package)), *module_of]), list(module_of)
