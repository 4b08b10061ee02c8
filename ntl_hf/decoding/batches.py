"""Rows in batches, for whatever a model makes of them without being trained."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from tqdm.auto import tqdm


def longest_first(
    lengths: Sequence[int], batch_size: int, description: str, equal_lengths: bool = False
) -> Iterator[list[int]]:
    """Indices of rows of similar length, batch by batch, with a progress bar of rows.

    The longest come first, so that a batch which is too large for the memory shows at once.

    Args:
        lengths: of all rows, in tokens.
        batch_size: rows at a time.
        description: of the progress bar.
        equal_lengths: only rows of one length come together, for models that would read padding.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    groups = [list(rows) for _, rows in groupby(order, key=lengths.__getitem__)] if equal_lengths else [order]
    with tqdm(total=len(order), desc=description, unit="row") as bar:
        for group in groups:
            for start in range(0, len(group), batch_size):
                rows = group[start : start + batch_size]
                yield rows
                bar.update(len(rows))
