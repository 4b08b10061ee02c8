"""What is printed where: styles on terminals that want them, progress bars on terminals alone."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def make_console(*, stderr: bool = False, width_of_pipes: int | None = None) -> "Console":
    """A console of rich that prints plain text under `NO_COLOR`, on `TERM=dumb` and into pipes and files.

    Args:
        stderr: print to standard error.
        width_of_pipes: columns where there is no terminal: what reads a pipe can scroll. None: 80, or `COLUMNS`.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else width_of_pipes,
        # `NO_COLOR` alone would leave bold and dim.
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
    )


def no_bars_in_pipes() -> None:
    """Leave out tqdm's bars, those of all libraries, where standard error is no terminal.

    In a log file a bar is a line of thousands of characters, and two bars, one in the other, move the cursor with
    escape codes. To be called before tqdm is imported; an empty `TQDM_DISABLE` keeps the bars.
    """
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")
