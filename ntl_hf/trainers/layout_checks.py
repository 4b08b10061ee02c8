"""What is refused before training of losses that look at where a token stands in its number."""

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor

from ..config import NTLConfig
from ..number_layout import NumberLayout, NumberSyntax

# Share of numbers that cannot be read from which on it is worth a word.
_MANY = 0.1


def check_layouts(labels: Iterable[Tensor], syntax: NumberSyntax, config: NTLConfig) -> None:
    """Raise `ValueError` if the loss has nothing to act on in some labels; warn if much of them is out of its reach.

    Labels without any number are left to `check_train_dataset`.

    Args:
        labels: rows of token ids, `[T]` or `[B, T]` each, -100 where there is none.
        syntax: how numbers are written.
        config: the settings.

    Raises:
        ValueError: no number can be read from its tokens; with 'raft', no number is one token, or none is of the grid.
    """
    layouts = [syntax.layout(torch.atleast_2d(each)) for each in labels]
    if not layouts:
        return
    numbers = [layout.select(layout.is_first) for layout in layouts]
    total = sum(len(layout.number) for layout in numbers)
    readable = sum(int(layout.is_readable.sum()) for layout in numbers)
    if total and not readable:
        raise ValueError(
            "No number of the training set can be read: each of them has digits in tokens that are no number tokens, "
            "such as '345'. Set `digits_only` (`ntl_digits_only`) to false to count these."
        )
    if total and readable < (1 - _MANY) * total:
        warnings.warn(
            f"{total - readable} of {total} numbers at the beginning of the training set have digits in tokens that "
            "are no number tokens; losses of whole numbers leave them out. See `ntl_digits_only`."
        )
    if total and "raft" in [term.name for term in config.terms]:
        _check_answers(numbers, syntax, config)


def _check_answers(numbers: list[NumberLayout], syntax: NumberSyntax, config: NTLConfig) -> None:
    answers = torch.cat([layout.value[layout.is_alone] for layout in numbers])
    if not len(answers):
        raise ValueError(
            "'raft' is for answers of one token, and no number of the training set is one. Take 'number', or set "
            "`digits_only` (`ntl_digits_only`) to false if the tokenizer has tokens of several digits."
        )
    grid = syntax.vocab.values if config.raft_grid is None else torch.tensor(config.raft_grid)
    if not torch.isin(answers, grid).any():
        raise ValueError(
            f"No answer of the training set is in `raft_grid` {config.raft_grid}; there are "
            f"{sorted({int(answer) for answer in answers.tolist()})[:5]}, ..."
        )
