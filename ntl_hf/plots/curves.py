"""The learning curves of a finished run, from what its Trainer has logged."""

import json
from pathlib import Path
from typing import Any

STATE = "trainer_state.json"
CURVES = {
    "ce_loss": "Cross entropy (nats/token)",
    "ntl_loss": "Number loss (ntl_loss)",
    "number_mae": "Mean |expected value - true value|",
    "number_mass": "Mean probability on number tokens",
}
Curves = dict[str, dict[str, list[tuple[int, float]]]]


def find_state(folder: Path) -> Path | None:
    """The Trainer's state of a run, at its end or in its last checkpoint, whichever has seen more steps, or None."""
    steps = {_steps_of(path): path for path in folder.glob(f"checkpoint-*/{STATE}")}
    if (folder / STATE).is_file():
        steps[_steps_of(folder / STATE)] = folder / STATE
    return steps[max(steps)] if steps else None


def _steps_of(state: Path) -> int:
    try:
        return int(json.loads(state.read_text(encoding="utf-8"))["global_step"])
    except (ValueError, KeyError, TypeError):
        return -1  # says what is wrong with it if there is no other


def read_curves(state: Path) -> Curves:
    """Curve to set to steps and values, in the order of `CURVES`; the set "training" first, then evaluations.

    Windows without a number, whose values are NaN, are left out.

    Raises:
        ValueError: the file is no Trainer's state, or has no log of a number loss.
    """
    try:
        log = json.loads(state.read_text(encoding="utf-8"))["log_history"]
        points = [(line["step"], key, value) for line in log for key, value in line.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{state} is not the state of a Trainer: {error!r}") from error
    curves: Curves = {}
    for name in CURVES:
        sets: dict[str, list[tuple[int, float]]] = {"training": []}
        for step, key, value in points:
            where = "training" if key == name else key.removesuffix(f"_{name}") if key.endswith(f"_{name}") else None
            if where is not None and isinstance(value, float | int) and value == value:
                sets.setdefault(where, []).append((step, value))
        sets = {where: values for where, values in sets.items() if values}
        if sets:
            curves[name] = sets
    if not curves:
        raise ValueError(
            f"{state} has logged none of {', '.join(CURVES)}: the run was shorter than its `logging_steps` and was "
            "not evaluated, or is not of this package's trainers."
        )
    return curves


def draw_curves(curves: Curves) -> Any:
    """A matplotlib figure with a panel a curve and a line a set."""
    from .panels import add_legend, color, make_grid

    figure, panels, shown = make_grid(len(curves))
    sets = dict.fromkeys(["training", *(where for each in curves.values() for where in each)])
    looks = {where: {"color": color(i), "lw": 1.6 if i else 1.2} for i, where in enumerate(sets)}
    for panel, (name, lines) in zip(shown, curves.items(), strict=True):
        for where, points in lines.items():
            marker = "o" if where != "training" or len(points) == 1 else None
            label = where.replace("$", r"\$")  # no formula of matplotlib
            panel.plot(*zip(*points, strict=True), label=label, marker=marker, ms=4, **looks[where])
        panel.set(xlabel="Optimizer step", ylabel=CURVES[name])
    add_legend(figure, panels, "Means over the tokens since the last log, and over each evaluation set")
    return figure
