"""What generated sets share: how many rows a split has, and which problems are held out of training."""

import zlib
from collections.abc import Mapping

from .schema import check_split

HELD_OUT = 10  # one problem in so many is for testing


def count_rows(split: str, rows: Mapping[str, int], name: str, max_rows: int | None) -> int:
    """How many rows to make of a split of the set `name`, whose splits have `rows`.

    Raises:
        ValueError: unknown split, or `max_rows` below 1.
    """
    check_split(split, rows, name)
    if max_rows is not None and max_rows < 1:
        raise ValueError(f"`max_rows` must be 1 or more, not {max_rows}.")
    return rows[split] if max_rows is None else min(rows[split], max_rows)


def is_held_out(problem: str) -> bool:
    """Decided by a checksum: training and test are disjoint, whatever the seeds, without looking at either."""
    return zlib.crc32(problem.encode()) % HELD_OUT == 0
