"""The finished cells, as they are on disk: what was trained, how it went, and what was predicted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..settings.checks import is_number
from ..settings.config import FILE_NAME
from .cell_folder import CELL, METRICS_FILE, PREDICTIONS_FILE, check_loss, is_finished, read_json
from .cells import Cell

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """The scores and predictions of one cell on one data set.

    Attributes:
        metrics: name to value; None where it is not defined.
        distribution: offsets from the true digit, and the mean probability of each; None without numbers.
        predictions: path of the predictions, read when they are needed.
    """

    metrics: dict[str, float | None]
    distribution: dict[str, list[float]] | None
    predictions: Path

    @cached_property
    def rows(self) -> "Rows":
        """The predictions as arrays.

        Raises:
            ValueError: the file is missing or damaged.
        """
        return read_rows(self.predictions)


@dataclass(frozen=True)
class Rows:
    """Predictions as arrays of one entry a row; NaN where a text has no readable number."""

    row: NDArray[np.int64]
    target: Floats
    number: Floats
    exact: NDArray[np.bool_]


@dataclass(frozen=True)
class Result:
    """A finished cell.

    Attributes:
        record: the content of `cell.json`.
        ntl: the number loss that was trained with, from the `ntl_config.json` that the trainer saved.
        log: the trainer's log lines.
    """

    variant: str
    seed: int
    record: dict[str, Any]
    ntl: dict[str, Any]
    log: list[dict[str, Any]] = field(repr=False)
    evaluations: dict[str, Evaluation]


def read_results(cells: Sequence[Cell]) -> list[Result]:
    """The finished ones among the cells, in their order.

    Raises:
        ValueError: one was trained with another loss than its variant asks for, or a file is damaged.
    """
    return [_read(cell) for cell in cells if is_finished(cell)]


def _read(cell: Cell) -> Result:
    check_loss(cell)
    state = read_json(cell.folder / "trainer_state.json") or {}
    return Result(
        variant=cell.variant,
        seed=cell.seed,
        record=read_json(cell.folder / CELL),
        ntl=read_json(cell.folder / FILE_NAME),
        log=state.get("log_history", []),
        evaluations={name: _read_evaluation(cell.evaluation_folder(name)) for name in cell.evaluations},
    )


def _read_evaluation(folder: Path) -> Evaluation:
    content = read_json(folder / METRICS_FILE)
    if content is None:
        raise ValueError(f"{folder} has no {METRICS_FILE}; remove the folder and run the command again.")
    try:
        metrics = {name: score["value"] for name, score in content["metrics"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder, "`metrics` with a `value` each") from error
    for name, value in metrics.items():
        if value is not None and not is_number(value):
            raise _damaged(folder, f"a finite number or null as `metrics.{name}.value`, not {value!r}")
    return Evaluation(metrics, content.get("number_distribution"), folder / PREDICTIONS_FILE)


def _damaged(folder: Path, wanted: str) -> ValueError:
    return ValueError(f"{folder / METRICS_FILE} must hold {wanted}; remove the folder and run the command again.")


def read_rows(path: Path) -> Rows:
    """Predictions in JSON lines.

    Raises:
        ValueError: the file is missing, or a line is damaged; the message has its number.
    """
    rows = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                rows.append(_read_line(line, path, number))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}.") from error
    row, target, prediction, exact = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 4
    return Rows(np.array(row, np.int64), np.array(target, float), np.array(prediction, float), np.array(exact, bool))


def _read_line(line: str, path: Path, number: int) -> tuple[int, float, float, bool]:
    try:
        content = json.loads(line)
        exact = content["prediction"].strip() == content["reference"].strip()
        return content["row"], _number(content["target"]), _number(content["number"]), exact
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "remove the evaluation's folder and run the command again"
        raise ValueError(f"{path}, line {number} is damaged ({error!r}); {hint}.") from error


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
