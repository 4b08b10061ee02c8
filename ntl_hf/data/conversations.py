"""Conversations: lists of turns, each with a speaker and texts."""

import pyarrow.compute as compute
from datasets import Dataset, LargeList, List

# Where a turn of a conversation has texts.
TURN_TEXTS = frozenset({"content", "value", "reasoning_content", "reasoning", "thinking", "name"})
# What tells whose turn it is.
SPEAKER = frozenset({"role", "from"})
NO_SPEAKER = "turns without a 'role' (or 'from'), so that it is no conversation; say whose turn each is."
EMPTY = "the conversation '{}' is empty; remove the row or fill it in."
NULL_TURN = "'{}' has a turn that is null; remove it."


def check_turns(dataset: Dataset, name: str, source: str) -> None:
    """Raise `ValueError` where a column of lists has one without turns, or a turn that is null, with the row."""
    if not isinstance(dataset.features[name], (List, LargeList)):
        return
    batches = dataset.select_columns([name]).with_format("arrow").iter(batch_size=1000)
    for i, batch in enumerate(batches):
        column = batch[name].combine_chunks()
        empty = compute.index(compute.equal(compute.list_value_length(column), 0), True).as_py()
        if empty >= 0:
            raise ValueError(f"{source}, row {1000 * i + empty + 1}: {EMPTY.format(name)}")
        null = compute.index(compute.is_null(compute.list_flatten(column)), True).as_py()
        if null >= 0:
            row = compute.list_parent_indices(column)[null].as_py()
            raise ValueError(f"{source}, row {1000 * i + row + 1}: {NULL_TURN.format(name)}")
