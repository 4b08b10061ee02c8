"""Rows of CSV and TSV files, every field a text as it was written."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .text_lines import read_lines


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
    rows = _rows(path, separator)
    where, header = next(rows, ("", []))
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{where}: the column '{twice[0]}' is there twice; give it another name.")
    for where, fields in rows:
        if len(fields) != len(names):
            raise ValueError(f"{where}: {_describe(fields, names, separator)}")
        yield where, {name: field or None for name, field in zip(names, fields, strict=True)}


def _rows(path: Path, separator: str) -> Iterator[tuple[str, list[str]]]:
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


def _describe(fields: list[str], names: list[str], separator: str) -> str:
    mark = "tab" if separator == "\t" else f"'{separator}'"
    hint = (
        f"Put a field with a {mark} in it into quotes, and name every column."
        if len(fields) > len(names)
        else "Fill in what is missing, and put a field with a line break in it into quotes."
    )
    row = separator.join(fields)[:60]
    return f"{len(fields)} fields for {len(names)} columns ({', '.join(names)}): {row!r}. {hint}"
