"""Rows of an evaluation by their numbers and targets."""

import numpy as np

from ntl_hf.compare.results import Rows


def make_rows(numbers, targets):
    numbers = np.array([np.nan if number is None else number for number in numbers], float)
    targets = np.array([np.nan if target is None else target for target in targets], float)
    return Rows(np.arange(len(targets)), targets, numbers, numbers == targets)
