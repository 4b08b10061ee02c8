"""Means and spreads over seeds, and the paired differences."""

from statistics import fmean, stdev
from typing import Any

from .settings import BASELINE, VARIANTS, WITH_NTL

Spread = dict[str, Any]  # {"mean": float, "sd": float or None for one seed}


def summarize(results: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Spread]]]:
    """`{task: {"CE" | "CE + NTL" | "difference": {score: {"mean", "sd"}}}}`.

    The difference is CE + NTL minus CE, seed by seed, so that what a seed gives to both does not blur it. `sd` is the
    sample standard deviation over seeds.
    """
    return {task: _summarize_task([r for r in results if r["task"] == task]) for task in _in_order(results)}


def _summarize_task(results: list[dict[str, Any]]) -> dict[str, dict[str, Spread]]:
    names = results[0]["scores"]
    by_seed = {variant: {r["seed"]: r["scores"] for r in results if r["variant"] == variant} for variant in VARIANTS}
    summary = {
        variant: {name: spread([scores[name] for scores in seeds.values()]) for name in names}
        for variant, seeds in by_seed.items()
    }
    summary["difference"] = {name: spread(differences(results, name)) for name in names}
    return summary


def differences(results: list[dict[str, Any]], name: str) -> list[float]:
    """CE + NTL minus CE in one score of one task, one number a seed."""
    scores = {(r["variant"], r["seed"]): r["scores"][name] for r in results}
    return [scores[WITH_NTL, seed] - scores[BASELINE, seed] for variant, seed in scores if variant == BASELINE]


def spread(values: list[float]) -> Spread:
    return {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else None}


def _in_order(results: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(result["task"] for result in results))
