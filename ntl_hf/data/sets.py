"""What holds for data sets of every kind: columns, rows, formats."""

from typing import Any

from datasets import Dataset, IterableDataset


def column_names(dataset: Dataset | IterableDataset) -> list[str]:
    """The columns of a data set; of a stream that does not know them, those of its first row.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(dataset, (Dataset, IterableDataset)):
        kind = type(dataset).__name__
        hint = (
            "Take one of its splits." if isinstance(dataset, dict) else "`Dataset.from_list(rows)` makes one of rows."
        )
        raise TypeError(f"A `datasets.Dataset` or `IterableDataset` is needed, this is a {kind}. {hint}")
    return list(dataset.column_names or next(iter(dataset), {}))


def check_has_rows(dataset: Any, source: str = "The data set") -> None:
    """Raise `ValueError` if a data set of whatever kind has no rows; of a stream, the first is read."""
    if next(iter(dataset), None) is None:
        raise ValueError(f"{source} has no rows.")


def unformatted(dataset: Any) -> Any:
    """The data set with rows of Python's own types, where it had those of numpy, pandas or others."""
    # A transform is no format: it is what the rows are.
    is_plain = isinstance(dataset, Dataset) and dataset.format["type"] in (None, "custom")
    return dataset if is_plain else dataset.with_format(None)
