"""Text files and JSON lines, packed or not, read with errors that name the file and the line."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..settings.text_files import decode

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


def read_json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where it stands ("FILE, line 3") and the object, line by line; empty lines are passed over.

    Args:
        path: a text file in UTF-8, or one that gzip has packed (`.gz`).

    Raises:
        ValueError: a line is not UTF-8 or not a JSON object (with a key twice, or with NaN, it is none); the message
            names the file, the line and what is there.
    """
    return ((where, plain(need_object(value, where))) for where, value in parse_lines(read_lines(path)))


def field_of(row: Any, name: str, kind: type, where: str) -> Any:
    """What an object has under a name; `ValueError` if it has nothing there, or something of another kind."""
    if not isinstance(row, dict) or name not in row:
        there = sorted(row) if isinstance(row, dict) else f"a {type(row).__name__}"
        raise ValueError(f"{where}: no '{name}'; there is {there}.")
    if not isinstance(row[name], kind):
        raise ValueError(f"{where}: '{name}' is a {type(row[name]).__name__}; a {kind.__name__} is needed.")
    return row[name]


def parse_lines(lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """Yield where it stands and the value, of what `read_lines` yields; a number is a `Written`."""
    for where, line in lines:
        if not line.strip():
            continue
        value, end = parse_at(line, skip_space(line, 0), where)
        if (rest := skip_space(line, end)) < len(line):
            raise invalid("Extra data", line, rest, where)
        yield where, value


class Written(str):
    """A number of JSON as the text that was written; whole, or with a fraction or an exponent."""


def plain(value: Any) -> Any:
    """A parsed value with numbers in the place of what was written."""
    if isinstance(value, Written):
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def need_object(value: Any, where: str) -> dict[str, Any]:
    """The same value; `ValueError` if it is no JSON object."""
    if not isinstance(value, dict):
        raise ValueError(f"{where}: a JSON object is needed, this is a {type(plain(value)).__name__}.")
    return value


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


_JSON = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=Written, parse_float=Written
)
