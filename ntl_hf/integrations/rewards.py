"""`NumberReward`: how near the number in a generated answer is, as a reward for TRL's `GRPOTrainer`."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..data.answer import final_answer
from ..data.number_text import answer_number
from ..evaluation.number_metrics import as_columns
from ..evaluation.regression import signed_log

_SCALES = ("relative", "log")
# What TRL does not hand to a reward function as a column, or hands over as something else.
_TAKEN = ("prompt", "completion", "prompts", "completions", "completion_ids", "trainer_state")


class NumberReward:
    """Minus the distance from the number of an answer to the true one: 0 for the right one, never below a bound.

    An instance is a reward function of TRL: `GRPOTrainer(..., reward_funcs=NumberReward())`. The reward of a readable
    answer x to a row with the number y is

        -min(distance(x, y), bound)

    with the distance |x - y| / scale for a constant scale, |x - y| / max(|y|, floor) for `"relative"`, and
    |s(x) - s(y)|, s(v) = sign(v) log10(|v| + 1), for `"log"`. Answers are read as in `ntl-hf evaluate`: an answer
    that names several numbers is unreadable, so that listing candidates does not pay.

    Args:
        scale: the error that costs 1, in units of the numbers; or "relative", or "log" (a power of ten costs 1).
        floor: for "relative": the smallest |y| to divide by, so that errors at 0 cost a finite amount. Above 0.
        bound: the largest distance that is told apart. Above 0.
        unreadable: the reward of an answer without a number, or with several; -bound unless set, and at most that:
            silence must not be better than a wrong answer.
        answer_mark: what the final answer stands after, such as "####" or "<answer>": the first one, to the end of its
            line. An answer without it is unreadable. None: the whole completion is the answer.
        column: the column of the data set with the true number: a number, a text that states one (after the mark if
            it has the mark), or None in rows that this reward is not for.
        name: of the reward in logs, `rewards/NAME/mean`; two rewards need two names.

    Raises:
        ValueError: a setting is out of its range.
    """

    def __init__(
        self,
        scale: float | str = "relative",
        *,
        floor: float = 1.0,
        bound: float = 1.0,
        unreadable: float | None = None,
        answer_mark: str | None = None,
        column: str = "target",
        name: str = "number_reward",
    ) -> None:
        _check_settings(scale, floor, bound, unreadable, answer_mark, column)
        self.scale, self.floor, self.bound = scale, floor, bound
        self.unreadable = -bound if unreadable is None else unreadable
        self.answer_mark = answer_mark
        self.column = column
        # TRL asks for the name of a function.
        self.__name__ = name

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """The rewards of a batch; TRL calls this.

        Args:
            prompts: texts or conversations, one a completion.
            completions: texts, or lists of messages of which the assistant's last one is the answer.
            columns: the data set's columns, a list each. TRL's `log_metric` and `log_extra`, if there, are told the
                shares of unreadable and exactly right answers (`NAME/unreadable`, `NAME/exact`) and what was read
                (`NAME_read`, in the table of completions).

        Returns:
            A reward a completion: from -bound to 0, or `unreadable`; None where the row has no true number.

        Raises:
            ValueError: there is no such column, or its value in a row is not a number; the message has the prompt.
        """
        if self.column not in columns:
            raise ValueError(self._missing_column(columns))
        targets = [
            self._target(value, f"of the prompt {_shown(prompt)}")
            for prompt, value in zip(prompts, columns[self.column], strict=True)
        ]
        answers = [self._read(_text(completion)) for completion in completions]
        rewards = self._rewards(answers, targets)
        self._log(answers, targets, columns.get("log_metric"), columns.get("log_extra"))
        return rewards

    def check(self, dataset: Any) -> None:
        """Check the true numbers of a data set, so that a bad row ends the run before it begins.

        Args:
            dataset: a `datasets.Dataset`, or any mapping from the column's name to its values.

        Raises:
            ValueError: there is no such column, a value is not a number (the message has the row), or all are None.
        """
        names = getattr(dataset, "column_names", None) or list(dataset)
        if self.column not in names:
            raise ValueError(self._missing_column(names))
        targets = [self._target(value, f"of row {row}") for row, value in enumerate(dataset[self.column])]
        if all(target is None for target in targets):
            raise ValueError(f"the column '{self.column}' has no number in any row: name another `column`.")

    def _read(self, text: str) -> float | None:
        answer = final_answer(text, self.answer_mark)
        return None if answer is None else answer_number(answer)

    def _target(self, value: Any, where: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, str):
            # A column of answers alone, beside completions that are to have the mark, will do.
            number = answer_number(value) if final_answer(value, self.answer_mark) is None else self._read(value)
        else:
            number = _as_float(value)
        if number is None:
            raise ValueError(
                f"the column '{self.column}' {where} is {_shown(value)}, not one finite number: mend or remove the "
                "row, set `answer_mark` if the number stands after a mark, or write None where there is none."
            )
        return number

    def _rewards(self, answers: Sequence[float | None], targets: Sequence[float | None]) -> list[float | None]:
        """From -bound to 0 or `unreadable`; None without a target."""
        # Rows without a target are computed as 0 and then left out.
        given, true = as_columns(answers, [0.0 if target is None else target for target in targets])
        with np.errstate(over="ignore"):
            costs = np.minimum(self._distances(given, true), self.bound)
        # `0.0 -`: the negative of 0 would be logged as -0.0.
        rewards = np.where(np.isnan(given), self.unreadable, 0.0 - costs).tolist()
        return [None if target is None else reward for reward, target in zip(rewards, targets, strict=True)]

    def _distances(self, given: Any, true: Any) -> Any:
        if self.scale == "log":
            return np.abs(signed_log(given) - signed_log(true))
        return np.abs(given - true) / (
            np.maximum(np.abs(true), self.floor) if self.scale == "relative" else self.scale
        )

    def _log(
        self,
        answers: Sequence[float | None],
        targets: Sequence[float | None],
        log_metric: Callable[[str, float], None] | None,
        log_extra: Callable[[str, list[Any]], None] | None,
    ) -> None:
        pairs = [(answer, target) for answer, target in zip(answers, targets, strict=True) if target is not None]
        if log_metric is not None and pairs:
            log_metric(f"{self.__name__}/unreadable", sum(answer is None for answer, _ in pairs) / len(pairs))
            log_metric(f"{self.__name__}/exact", sum(answer == target for answer, target in pairs) / len(pairs))
        if log_extra is not None:
            log_extra(f"{self.__name__}_read", list(answers))

    def _missing_column(self, there: Any) -> str:
        names = [name for name in there if name not in (*_TAKEN, "log_metric", "log_extra", "environments")]
        return (
            f"there is no column '{self.column}' with the true number; there are: {', '.join(names) or 'none'}. Set "
            "`column`; with `remove_unused_columns=True`, TRL leaves out all."
        )


def _check_settings(
    scale: float | str, floor: float, bound: float, unreadable: float | None, answer_mark: str | None, column: str
) -> None:
    if isinstance(scale, str) and scale not in _SCALES:
        raise ValueError(f"`scale` is '{scale}'; it must be a number above 0, 'relative' or 'log'.")
    for name, value in {"scale": scale, "floor": floor, "bound": bound}.items():
        if name == "scale" and value in _SCALES:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise ValueError(f"`{name}` is {value}; it must be above 0 and finite.")
    if unreadable is not None and not -math.inf < unreadable <= -bound:
        raise ValueError(
            f"`unreadable` is {unreadable}; it must be finite and at most {-bound:g} (-bound), or silence would be "
            "better than a wrong answer."
        )
    if answer_mark == "":
        raise ValueError("`answer_mark` is empty; leave it out if the whole completion is the answer.")
    if column in _TAKEN:
        raise ValueError(
            f"`column` is '{column}', which TRL does not pass on to rewards: copy it to a column of another name."
        )


def _text(completion: str | Sequence[Mapping[str, Any]] | None) -> str:
    """The text of a completion; of a conversation, what the assistant says last, without images and tool calls."""
    if isinstance(completion, str) or completion is None:
        return completion or ""
    said = [message.get("content") for message in completion if message.get("role") == "assistant"]
    content = said[-1] if said else None
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(part.get("text") or "" for part in content if part.get("type") == "text")


def _as_float(value: Any) -> float | None:
    """A number of any type as a float; None for what is none, is not finite or is too large."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _shown(value: Any) -> str:
    """For an error message: the beginning of a text, the end of a conversation."""
    if isinstance(value, (list, tuple)) and value and isinstance(value[-1], Mapping):
        value = value[-1].get("content")
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
