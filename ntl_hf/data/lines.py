"""Text files and JSON lines, packed or not, read with errors that name the file and the line."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..settings.text_files import decode

# More, Python makes no number of.
_MOST_DIGITS = 4300
_SPACE = re.compile(r"[ \t\r\n]*")


def read_lines(path: Path, keep_ends: bool = False) -> Iterator[tuple[str, str]]:
    """Yield where it stands ("FILE, line 3") and the text, line by line, without the line's end.

    Args:
        path: a text file in UTF-8, with or without a byte order mark, or one that gzip has packed (`.gz`).
        keep_ends: leave the lines' ends where they are.

    Raises:
        ValueError: a line is not UTF-8, or a packed file is broken.
    """
    number = 0
    open_text = gzip.open if path.suffix == ".gz" else open
    # Undecodable bytes are kept as they come: an error of the decoder itself knows nothing of lines. Lines end as on
    # any system, old Macs among them.
    with open_text(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        try:
            for number, line in enumerate(file, start=1):
                where = f"{path}, line {number}"
                yield where, _checked(line, where) if keep_ends else _checked(line, where).rstrip("\r\n")
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}, line {number + 1}: the gzip file is broken ({error}); get it again.") from None


def _checked(line: str, where: str) -> str:
    """A line with no byte of another encoding in it."""
    try:
        line.encode()
    except UnicodeEncodeError:
        decode(line.encode(errors="surrogateescape"), where)
    return line


def find_file(folder: Path, names: tuple[str, ...], set_name: str) -> Path:
    """The first of `names` that `folder` has.

    Raises:
        FileNotFoundError: it has none of them; the message lists what it has.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else "no such folder"
    also = "".join(f" or {name}" for name in names[1:])
    raise FileNotFoundError(f"{set_name} needs {folder / names[0]}{also}; found: {there}.")


def read_json_lines(path: Path, columns: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where it stands ("FILE, line 3") and the object, line by line; empty lines are passed over.

    Args:
        path: a text file in UTF-8, or one that gzip has packed (`.gz`).
        columns: what every object must have, as strings.

    Raises:
        ValueError: a line is not UTF-8 or not a JSON object (with a key twice, or with NaN, it is none), or lacks a
            column or has it in another type; the message names the file, the line and what is there.
    """
    for where, row, _ in parse_lines(read_lines(path)):
        for column in columns:
            if column not in row:
                raise ValueError(f"{where}: no column '{column}'; the columns are {sorted(row)}.")
            if not isinstance(row[column], str):
                raise ValueError(f"{where}: column '{column}' is a {type(row[column]).__name__}, not a string.")
        yield where, row


def parse_lines(lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield where it stands, the object and its text, of what `read_lines` yields; errors as of `read_json_lines`."""
    for where, line in lines:
        if not line.strip():
            continue
        row, end = parse_at(line, skip_space(line, 0), where)
        if (rest := skip_space(line, end)) < len(line):
            raise invalid("Extra data", line, rest, where)
        if not isinstance(row, dict):
            raise ValueError(f"{where}: a JSON object is needed, this is a {type(row).__name__}.")
        yield where, row, line


def parse_at(text: str, position: int, where: str, path: Path | None = None) -> tuple[Any, int]:
    """The value that begins at a position of a line, or with `path` of the text of a file, and where it ends."""
    try:
        value, end = _JSON.raw_decode(text, position)
        if "\\ud" in text[position:end].lower():
            json.dumps(value, ensure_ascii=False).encode()
        return value, end
    except json.JSONDecodeError as error:
        raise invalid(error.msg, text, error.pos, where, path) from None
    except RecursionError:
        raise ValueError(f"{where}: lists or objects are nested too deep: {text[position : position + 80]}") from None
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        raise ValueError(
            f"{where}: {half} is half of a character; write the character itself, or both halves."
        ) from None
    except ValueError as error:
        raise ValueError(f"{where}: not valid JSON ({error}): {text[position : position + 80]}") from None


def skip_space(text: str, position: int) -> int:
    """The position of the first character from `position` on that is no space; the end of the text, if none is."""
    found = _SPACE.match(text, position)
    return found.end() if found else position


def invalid(message: str, text: str, position: int, where: str, path: Path | None = None) -> ValueError:
    """The error at a position of a line, or with `path` of the text of a file."""
    error = json.JSONDecodeError(message, text, position)
    where = where if path is None else f"{path}, line {error.lineno}"
    line = text.split("\n")[error.lineno - 1].strip()
    return ValueError(f"{where}: not valid JSON ({error.msg} at column {error.colno}): {line[:80]}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return row


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON; write null, or a text")


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits; write it as a text")
    return int(digits)


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
