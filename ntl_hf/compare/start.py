"""The first thing a process runs: the imports, which the command itself does without."""

from typing import Any

from .process import Tell


def run_cell(item: tuple[Any, int], tell: Tell) -> None:
    """`work.run_cell` on a number of threads.

    Args:
        item: a `Cell`, and its CPU threads.
        tell: takes the finished share.
    """
    import torch

    from . import work

    cell, threads = item
    # OMP_NUM_THREADS, where it is set, asks for fewer.
    torch.set_num_threads(min(threads, torch.get_num_threads()))
    work.run_cell(cell, tell)
