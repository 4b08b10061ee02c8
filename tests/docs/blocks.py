"""The fenced code blocks of README.md and the pages under docs/."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is the number of its first line of code, from 1."""

    page: str
    line: int
    language: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """All pages, relative to the root, whoever adds one."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, top to bottom.

    Raises:
        ValueError: a fence that is never closed.
    """
    return list(parse((ROOT / page).read_text(encoding="utf-8"), page))


def parse(text: str, page: str) -> Iterator[Block]:
    """The blocks of a text; those inside lists and tabs lose their indent.

    Raises:
        ValueError: a fence that is never closed.
    """
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        opening = _FENCE.fullmatch(line)
        if opening is None:
            continue
        closing = re.compile(rf"[ \t]*{opening['fence'][0]}{{{len(opening['fence'])},}}[ \t]*")
        body = []
        for _, inner in lines:
            if closing.fullmatch(inner):
                break
            body.append(_without_indent(inner, len(opening["indent"])))
        else:
            raise ValueError(f"{page}:{number}: this block is never closed")
        yield Block(page, number + 1, _language(opening["info"]), "\n".join(body) + "\n")


def _without_indent(line: str, width: int) -> str:
    return line[width:] if not line[:width].strip() else line.lstrip()


def _language(info: str) -> str:
    """`python`, `python title="x"` and `{.python ...}` are all python; nothing is ""."""
    words = info.strip().strip("{}").split()
    return words[0].removeprefix(".").lower() if words else ""
