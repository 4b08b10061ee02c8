"""`read_recipe`: the keys and values of a recipe's file, with the lines at which they stand."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from .errors import UsageError
from .text_files import decode

# Bytes: a recipe has a page. The parser takes minutes for what is larger by mistake.
_LARGEST = 2**20
# Keys that tell what another file is.
_OTHERS = {
    "variants": "it is a comparison: ntl-hf compare --config {path}",
    "model_name_or_path": "it is a recipe of one run: ntl-hf sft --config {path}, or ntl-hf train",
    "distributed_type": "it is a configuration of accelerate: add --accelerate_config {path} to a recipe",
}


class Recipe(dict[str, Any]):
    """Keys and values of a recipe, which know where they stand.

    Attributes:
        source: what errors call the recipe; the path of its file.
        lines: by key, the line at which it stands.
    """

    def __init__(self, values: Mapping[str, Any], source: str, lines: Mapping[str, int]) -> None:
        super().__init__(values)
        self.source, self.lines = source, lines

    def where(self, key: str) -> str:
        """`"recipe.yaml, line 3"`."""
        return f"{self.source}, line {self.lines[key]}" if key in self.lines else self.source


def read_recipe(
    path: str | Path, *, kind: str = "the recipe", content_hint: str = ", one `key: value` a line."
) -> Recipe:
    """The content of a recipe's file; `UsageError`, with path and line, for one that is none.

    Args:
        path: of the file.
        kind: what an error calls the file.
        content_hint: the end of the error that it must hold keys and values.
    """
    text = _read_text(path, kind)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        content = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        # Not the line itself, which may hold a secret.
        mark = error.problem_mark
        place = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        raise UsageError(f"{path} is not valid YAML{place}: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    except RecursionError:
        raise UsageError(f"{path}: lists or names and values are nested too deep.") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} must hold keys and values{content_hint}")
    keys = [] if root is None else [key for key, _ in root.value]
    return Recipe(content, str(path), {key.value: key.start_mark.line + 1 for key in keys})


def what_else(unknown: Collection[str], path: str | Path) -> str:
    """The end of an error about unknown keys: what the file is instead; or nothing."""
    told = next((told for key, told in _OTHERS.items() if key in unknown), None)
    return "" if told is None else f" Perhaps {told.format(path=path)}."


def _read_text(path: str | Path, kind: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {kind} {path}: {error.strerror}.") from error
    if len(data) > _LARGEST:
        raise UsageError(f"{path} is larger than 1 MiB; {kind} is a short file of keys and values.")
    try:
        return decode(data, str(path))
    except ValueError as error:
        raise UsageError(str(error)) from None


class _Loader(yaml.SafeLoader):
    """YAML whose keys are there once, with a line in every error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key '{key.value}' is there twice, first in line {seen[key.value]}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen[key.value] = key.start_mark.line + 1
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            # A number of thousands of digits, a day that is in no calendar, `!!int` without one.
            problem = f"no value of the kind {node.tag.rpartition(':')[2]} ({error})"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None
