"""The file of a comparison: its variants, their seeds, and the evaluations that score them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..runs import debug
from ..settings.errors import did_you_mean
from ..settings.recipe_files import display_name, file_at, own_recipe, unknown
from ..settings.recipe_reader import read_recipe, what_else
from .metric_labels import DEFAULT_METRICS, check_metrics

COMMANDS = ("sft", "train")
_REQUIRED = ("command", "recipe", "baseline", "variants", "evaluations", "output_dir")
# What a comparison decides for every cell.
RESERVED = {
    "seed": "list the seeds as `seeds`",
    "output_dir": "every cell has a folder of its own",
    "resume_from_checkpoint": "cells that were interrupted go on by themselves",
    "debug": "`ntl-hf compare --debug` passes it on",
    "config": "name the recipe as `recipe`",
}

Settings = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a comparison trains and scores, as its file says.

    Attributes:
        command: "sft" or "train", the command that trains.
        recipe: path of the recipe that all variants start from.
        settings: over the recipe, for all variants.
        seeds: each variant is trained once with each of them.
        baseline: the variant that the others are compared with.
        variants: name to what it sets over recipe and `settings`.
        evaluations: name to the fields of an evaluation, such as its split.
        metrics: columns of the tables.
        output_dir: where cells and report go.
        debug: a few steps on a few rows.
        source: the file itself, as `--config` takes it.
    """

    command: str
    recipe: Path
    baseline: str
    variants: dict[str, Settings]
    evaluations: dict[str, Settings]
    output_dir: Path
    settings: Settings = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    metrics: tuple[str, ...] = DEFAULT_METRICS
    debug: bool = False
    source: str = ""

    @property
    def others(self) -> list[str]:
        """The variants that are compared with the baseline."""
        return [name for name in self.variants if name != self.baseline]


def read_plan(path: str | Path) -> Plan:
    """Read and check the file of a comparison; `recipe` is a file, relative to its folder, or a name.

    Raises:
        ValueError: the file cannot be read, or a key or a value is wrong; the message names the file and the key.
    """
    content = read_recipe(path, kind="the comparison", content_hint=f": {', '.join(_REQUIRED)}, ...")
    try:
        return _make(content, Path(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def with_seeds(plan: Plan, seeds: Sequence[int]) -> Plan:
    """The same comparison on other seeds.

    Raises:
        ValueError: they are not whole numbers, 0 or more, or one comes twice.
    """
    return replace(plan, seeds=_check_seeds(list(seeds)))


def with_variants(plan: Plan, names: Collection[str]) -> Plan:
    """The same comparison of these variants and the baseline alone."""
    variants = {name: settings for name, settings in plan.variants.items() if name in (*names, plan.baseline)}
    return replace(plan, variants=variants)


def for_debug(plan: Plan, folder: Path) -> Plan:
    """The same path in a minute: one seed, into another folder."""
    evaluations = {name: {**settings, **debug.EVALUATION} for name, settings in plan.evaluations.items()}
    return replace(plan, seeds=plan.seeds[:1], output_dir=folder, evaluations=evaluations, debug=True)


def slug(name: str) -> str:
    """A variant's name as a folder's: "CE + NTL" is `ce-ntl`, "NTL-WAS 0.3" is `ntl-was-0-3`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _make(content: dict[str, Any], path: Path) -> Plan:
    known = [each.name for each in fields(Plan) if each.name not in ("debug", "source")]
    for key in content:
        if key not in known:
            hint = RESERVED.get(key)
            other = what_else(content.keys() - set(known), path) or did_you_mean(key, known)
            raise ValueError(f"unknown key '{key}'.{other}" if hint is None else f"'{key}': {hint}.")
    for key in _REQUIRED:
        if content.get(key) is None:
            raise ValueError(f"the key '{key}' is missing.")
    if content["command"] not in COMMANDS:
        raise ValueError(f"'command' is {content['command']!r}; it must be one of: {', '.join(COMMANDS)}.")
    if not isinstance(content["recipe"], str) or not isinstance(content["output_dir"], str):
        raise ValueError("'recipe' and 'output_dir' must be paths.")
    own = path.parent / content["recipe"]
    recipe = file_at(own) or own_recipe(content["recipe"])
    if recipe is None:
        raise ValueError(f"'recipe': there is no file {own}, and {unknown(content['recipe'])}")
    variants, baseline = _check_groups("variants", content["variants"]), content["baseline"]
    if baseline not in variants:
        raise ValueError(
            f"'baseline' is {baseline!r}, which is none of the variants.{did_you_mean(baseline, variants)}"
        )
    metrics = _check_list("metrics", content.get("metrics") or list(DEFAULT_METRICS))
    check_metrics(metrics)
    return Plan(
        command=content["command"],
        recipe=recipe,
        baseline=baseline,
        variants=variants,
        evaluations=_check_groups("evaluations", content["evaluations"]),
        output_dir=Path(content["output_dir"]),
        settings=_check_settings("settings", content.get("settings") or {}),
        seeds=_check_seeds(_check_list("seeds", content.get("seeds", [0]))),
        metrics=tuple(metrics),
        source=display_name(path),
    )


def _check_groups(key: str, groups: Any) -> dict[str, Settings]:
    """Names with settings, none empty, and each with a folder's name that is its own."""
    if not isinstance(groups, dict) or not groups:
        raise ValueError(f"'{key}' must hold one or more names, each with its settings.")
    folders: dict[str, str] = {}
    for name in groups:
        if not isinstance(name, str) or not slug(name):
            raise ValueError(f"'{key}': {name!r} is no name; take letters or digits, in quotes if need be.")
        other = folders.setdefault(slug(name), name)
        if other != name:
            raise ValueError(f"'{key}': '{other}' and '{name}' would share the folder '{slug(name)}'; rename one.")
    return {name: _check_settings(f"{key}: {name}", settings or {}) for name, settings in groups.items()}


def _check_settings(where: str, settings: Any) -> Settings:
    if not isinstance(settings, dict):
        raise ValueError(f"'{where}' must hold settings, such as {{ntl_weight: 0.3}}, not {settings!r}.")
    for key in settings:
        if key in RESERVED:
            raise ValueError(f"'{where}' sets '{key}': {RESERVED[key]}.")
    return settings


def _check_list(key: str, values: Any) -> list[Any]:
    values = values if isinstance(values, list) else [values]
    if not values:
        raise ValueError(f"'{key}' is empty.")
    return values


def _check_seeds(seeds: list[Any]) -> tuple[int, ...]:
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ValueError(f"'seeds' has {seed!r}; seeds are whole numbers, 0 or more.")
        if seeds.count(seed) > 1:
            raise ValueError(f"'seeds' has {seed} twice.")
    return tuple(seeds)
