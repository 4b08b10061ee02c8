"""What is refused before training of losses that look at where a token stands in its number."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from ..settings.config import NTLConfig
from ..tokens.number_layout import NumberLayout, NumberSyntax

# Share of numbers that cannot be read from which on it is worth a word.
_MANY = 0.1


def check_layouts(labels: Sequence[Tensor], syntax: NumberSyntax, config: NTLConfig, is_all: bool) -> None:
    """Raise `ValueError` if the loss has nothing to act on; warn if that is so of a part, or of much of it.

    Labels without any number are left to `check_train_dataset`.

    Args:
        labels: rows of token ids, `[T]` or `[B, T]` each, -100 where there is none.
        syntax: how numbers are written.
        config: the settings.
        is_all: whether these are all labels of the set; otherwise its beginning, of which there is a warning.

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
        _report(
            "no number of the training set can be read: each of them has digits in tokens that are no number tokens, "
            "such as '345'. Set `digits_only` (`ntl_digits_only`) to false to count these.",
            is_all,
        )
    elif readable < (1 - _MANY) * total:
        warnings.warn(
            f"{total - readable} of {total} numbers at the beginning of the training set have digits in tokens that "
            "are no number tokens; losses of whole numbers leave them out. See `ntl_digits_only`."
        )
    if total and "raft" in [term.name for term in config.terms]:
        _check_answers(numbers, syntax, config, is_all)


def _report(problem: str, is_all: bool) -> None:
    if is_all:
        raise ValueError(problem[0].upper() + problem[1:])
    warnings.warn(f"At its beginning, {problem}")


def _check_answers(numbers: list[NumberLayout], syntax: NumberSyntax, config: NTLConfig, is_all: bool) -> None:
    answers = torch.cat([layout.value[layout.is_alone] for layout in numbers])
    if not len(answers):
        _report(
            "no number of the training set is one token, and 'raft' is for such answers. Take 'number', or set "
            "`digits_only` (`ntl_digits_only`) to false if the tokenizer has tokens of several digits.",
            is_all,
        )
        return
    grid = syntax.vocab.values if config.raft_grid is None else torch.tensor(config.raft_grid)
    if not torch.isin(answers, grid).any():
        found = sorted({int(answer) for answer in answers.tolist()})
        _report(f"no answer of the training set is in `raft_grid` {config.raft_grid}; there are {found[:5]}.", is_all)
