"""Python blocks: the statements of a page run in order in one namespace, and comments that are values hold."""

import ast
import builtins
import symtable
import tokenize
from collections.abc import Iterator
from importlib.util import find_spec
from io import StringIO
from typing import Any

import pytest

from .blocks import ROOT, Block

Namespace = dict[str, Any]
_NO_VALUE = object()
# Other projects that blocks of their pages import, and that the tests may not have.
FRAMEWORKS = ("axolotl", "llamafactory", "swift")


def run_block(block: Block, namespace: Namespace) -> None:
    """Run a block; errors point to the line of the page.

    An expression with a literal behind it as a comment (`len(ids)  # 3`) must have that value.
    """
    if frameworks_missing(block.text):
        return _import_ours(block)
    comments = comments_of(block.text)
    for statement in ast.parse(block.text).body:
        wanted = _literal(comments.get(statement.end_lineno or 0, ""))
        ast.increment_lineno(statement, block.line - 1)
        path = str(ROOT / block.page)
        if isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), path, "eval"), namespace)
            assert wanted is _NO_VALUE or is_as_written(value, wanted), f"{block.page}:{statement.lineno}: {value!r}"
        else:
            exec(compile(ast.Module([statement], []), path, "exec"), namespace)


def frameworks_missing(text: str) -> set[str]:
    """Of `FRAMEWORKS`, what a block imports and this environment does not have."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    return {name for node in nodes for name in FRAMEWORKS if str(node.module).startswith(name) and not find_spec(name)}


def _import_ours(block: Block) -> None:
    """Of a block for another framework: it is Python, and what it takes from here is there."""
    imports = [node for node in ast.parse(block.text).body if isinstance(node, ast.ImportFrom)]
    ours: list[ast.stmt] = [node for node in imports if str(node.module).startswith("ntl_hf")]
    assert ours, f"{block.id} uses nothing of ours"
    exec(compile(ast.Module(ours, []), str(ROOT / block.page), "exec"), {})


def comments_of(text: str) -> dict[int, str]:
    """The comments, without `#`, by line."""
    tokens = tokenize.generate_tokens(StringIO(text).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def is_as_written(value: Any, wanted: Any) -> bool:
    """Equal; tensors and decimals as far as two places say."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(is_as_written, value, wanted))
    return value == (pytest.approx(wanted, abs=0.0051) if isinstance(wanted, float) else wanted)


def names_taken(texts: list[str]) -> set[str]:
    """The names that the blocks of a page read."""
    nodes = (node for text in texts for node in ast.walk(ast.parse(text)))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def names_missing(text: str) -> set[str]:
    """The names that a block reads and neither makes nor imports."""
    table = symtable.symtable(text, "block", "exec")
    made = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    return {name for name in _names_read(table) if name not in made and not hasattr(builtins, name)}


def _names_read(table: symtable.SymbolTable) -> Iterator[str]:
    is_module = table.get_type() == "module"
    yield from (
        each.get_name() for each in table.get_symbols() if each.is_global() or (is_module and each.is_referenced())
    )
    for inner in table.get_children():
        yield from _names_read(inner)


def _literal(comment: str) -> Any:
    try:
        return ast.literal_eval(comment)
    except (ValueError, SyntaxError):
        return _NO_VALUE
