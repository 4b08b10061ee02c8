"""Reading JSON lines with errors that name the file and the line."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .text_lines import read_lines


def read_json_lines(path: Path, columns: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where it stands ("FILE, line 3") and the object, line by line; empty lines are passed over.

    Args:
        path: a text file in UTF-8, or one that gzip has packed (`.gz`).
        columns: what every object must have, as strings.

    Raises:
        ValueError: a line is not UTF-8 or not a JSON object, or lacks a column or has it in another type; the message
            names the file, the line and what is there.
    """
    for where, line in read_lines(path):
        if line.strip():
            yield where, _parse(line, columns, where)


def _parse(line: str, columns: Sequence[str], where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{where}: not valid JSON ({error.msg} at column {error.colno}): {line.strip()[:80]}"
        ) from None
    if not isinstance(row, dict):
        raise ValueError(f"{where}: a JSON object is needed, this is a {type(row).__name__}.")
    for column in columns:
        if column not in row:
            raise ValueError(f"{where}: no column '{column}'; the columns are {sorted(row)}.")
        if not isinstance(row[column], str):
            raise ValueError(f"{where}: column '{column}' is a {type(row[column]).__name__}, not a string.")
    return row
