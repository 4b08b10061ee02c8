"""Rows of CSV, TSV and JSON files of every kind, their values as the text that was written."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from .lines import invalid, need_object, parse_at, parse_lines, plain, read_lines, skip_space
from .text_columns import TURN_TEXTS

# What tells a turn of a conversation, or a part of one, and where its texts are.
_TURN, _TEXTS = frozenset({"role", "from", "type"}), TURN_TEXTS | {"text"}


def read_csv_rows(path: Path, separator: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Yield where it stands ("FILE, line 3") and the row, by the names in the first line; empty lines are passed over.

    `1.50`, `007` and `NA` are texts; an empty field is null. A column without a name, such as an index, is called
    "Unnamed: 0" by its place.

    Args:
        path: a text file in UTF-8, or one that gzip has packed (`.gz`). Fields in quotes may stretch over lines.
        separator: between the fields.

    Raises:
        ValueError: a name that is there twice; with file and line, a row with more or fewer fields than there are
            names, quotes that are wrong, a line that is not UTF-8.
    """
    rows = _csv_rows(path, separator)
    where, header = next(rows, ("", []))
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{where}: the column '{twice[0]}' is there twice; give it another name.")
    for where, fields in rows:
        if len(fields) != len(names):
            raise ValueError(f"{where}: {_field_count(fields, names, separator)}")
        yield where, {name: field or None for name, field in zip(names, fields, strict=True)}


def _csv_rows(path: Path, separator: str) -> Iterator[tuple[str, list[str]]]:
    # A field may be a whole article.
    csv.field_size_limit(sys.maxsize)
    lines = (line for _, line in read_lines(path, keep_ends=True))
    reader, begin = csv.reader(lines, delimiter=separator, strict=True), 1
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {begin}: cannot be read as a row ({error}). A field that begins with a quote ends with "
                'one, and quotes within it are doubled: "a ""word""".'
            ) from None
        if fields is None:
            return
        if fields:
            yield f"{path}, line {begin}", fields
        begin = reader.line_num + 1


def _field_count(fields: list[str], names: list[str], separator: str) -> str:
    mark = "tab" if separator == "\t" else f"'{separator}'"
    hint = (
        f"Put a field with a {mark} in it into quotes, and name every column."
        if len(fields) > len(names)
        else "Fill in what is missing, and put a field with a line break in it into quotes."
    )
    row = separator.join(fields)[:60]
    return f"{len(fields)} fields for {len(names)} columns ({', '.join(names)}): {row!r}. {hint}"


def read_json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where it stands ("FILE, line 3") and the row, of JSON lines, a list, or objects that stretch over lines.

    Numbers, `true` and `false` become the text that stands in the file, `1.50` is "1.50"; so do those that are the
    text of a turn in a conversation. Elsewhere within lists and objects they stay what they are: token ids, tools.
    The items of a list may also be texts or numbers, which are then the column `text`.

    Args:
        path: a text file in UTF-8, or one that gzip has packed (`.gz`). JSON lines are read one by one, the others
            whole.

    Raises:
        ValueError: as of `read_json_lines`.
    """
    for where, value in _json_values(path):
        try:
            row = {name: _written(each) for name, each in need_object(value, where).items()}
        except RecursionError:
            raise ValueError(f"{where}: lists or objects are nested too deep.") from None
        yield where, row


def _json_values(path: Path) -> Iterator[tuple[str, Any]]:
    lines = ((where, line) for where, line in read_lines(path) if line.strip())
    first = next(lines, None)
    if first is None:
        return iter(())
    if _is_object(first[1]):
        return parse_lines(chain([first], lines))
    text = "\n".join(line for _, line in read_lines(path))
    if first[1].lstrip().startswith("["):
        return _items(text, path)
    return ((where, value) for _, where, value in _values(text, skip_space(text, 0), path, separator=""))


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _items(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    """The items of a list, which is the whole text; texts and numbers as an object with the key "text"."""
    position = skip_space(text, skip_space(text, 0) + 1)
    is_empty = text.startswith("]", position)
    for end, where, value in () if is_empty else _values(text, position, path, separator=","):
        position = skip_space(text, end)
        yield where, {"text": value} if isinstance(value, (str, bool)) else value
    if not text.startswith("]", position) or skip_space(text, position + 1) < len(text):
        raise invalid("the list should end here, and the file with it", text, position, "", path)


def _values(text: str, position: int, path: Path, separator: str) -> Iterator[tuple[int, str, Any]]:
    """Where each value ends and stands, and what it is, as long as a separator or more text follows."""
    line, counted = 1, 0
    while True:
        line, counted = line + text.count("\n", counted, position), position
        value, end = parse_at(text, position, f"{path}, line {line}", path)
        yield end, f"{path}, line {line}", value
        end = skip_space(text, end)
        if end == len(text) or not text.startswith(separator, end):
            return
        position = skip_space(text, end + len(separator))


def _written(value: Any) -> Any:
    """The value of a column, or of a turn's text, as the text that was written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    return [_turn(each) for each in value] if isinstance(value, list) else plain(value)


def _turn(value: Any) -> Any:
    if not isinstance(value, dict) or _TURN.isdisjoint(value):
        return plain(value)
    return {name: _written(each) if name in _TEXTS else plain(each) for name, each in value.items()}
