"""Reading text files, packed or not, with errors that name the file and the line."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path


def read_lines(path: Path, keep_ends: bool = False) -> Iterator[tuple[str, str]]:
    """Yield where it stands ("FILE, line 3") and the text, line by line, without the line's end.

    Args:
        path: a text file in UTF-8, with or without a byte order mark, or one that gzip has packed (`.gz`).
        keep_ends: leave the lines' ends where they are.

    Raises:
        ValueError: a line is not UTF-8, or a packed file is broken.
    """
    number = 0
    # Bytes, because an error of a decoding file knows nothing of lines.
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        try:
            for number, line in enumerate(file, start=1):
                text = _decode(line, f"{path}, line {number}", number == 1)
                yield f"{path}, line {number}", text if keep_ends else text.rstrip("\r\n")
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}, line {number + 1}: the gzip file is broken ({error}); get it again.") from None


def _decode(line: bytes, where: str, is_first: bool) -> str:
    try:
        return line.decode("utf-8-sig" if is_first else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: not UTF-8 ({error.reason}).") from None


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
