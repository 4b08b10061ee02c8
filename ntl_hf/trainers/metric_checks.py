"""What `metric_for_best_model` names must be in every evaluation, and be a number; else no model is ever the best."""

import difflib
from typing import Any

from .checks import has_numbers

# What the stock trainers measure; those of TRL have no name of a set in them.
_STOCK = ("loss", "runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
_TRL = ("eval_entropy", "eval_mean_token_accuracy", "eval_num_tokens", "eval_aux_loss")
_ALWAYS_THERE = ("number_token_fraction", "ce_loss")
_MODULES = ("ntl_hf", "transformers", "trl")


def check_best_metric(trainer: Any, own: tuple[str, ...] = ()) -> None:
    """Raise `ValueError` for a `metric_for_best_model` that no evaluation will have, or as NaN only.

    Where `compute_metrics`, a callback or a subclass may add metrics, a name that is not known is let through.

    Args:
        trainer: with its arguments and evaluation sets.
        own: names of the metrics that this trainer adds to the stock ones, without "eval_".
    """
    metric, sets = trainer.args.metric_for_best_model, trainer.eval_dataset
    if metric is None or sets is None or str(trainer.args.eval_strategy.value) == "no":
        return
    metric = metric if metric.startswith("eval_") else f"eval_{metric}"
    named = {f"eval_{name}": each for name, each in sets.items()} if isinstance(sets, dict) else {"eval": sets}
    found = {f"{prefix}_{name}": (prefix, name) for prefix in named for name in (*_STOCK, *own)}
    if metric in found:
        prefix, name = found[metric]
        if name in own and name not in _ALWAYS_THERE:
            _check_has_numbers(trainer, named[prefix], metric, prefix)
    elif metric not in _TRL and "_mem_" not in metric and _knows_all(trainer):
        raise ValueError(
            f"`metric_for_best_model` is '{metric}', which no evaluation has.{_nearest(metric, found)} There are: "
            f"{', '.join(name for name, (_, short) in found.items() if short in ('loss', *own))}."
        )


def _nearest(metric: str, found: dict[str, Any]) -> str:
    close = difflib.get_close_matches(metric, found, 1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _knows_all(trainer: Any) -> bool:
    parts = [trainer, *trainer.callback_handler.callbacks]
    return trainer.compute_metrics is None and all(type(each).__module__.split(".")[0] in _MODULES for each in parts)


def _check_has_numbers(trainer: Any, dataset: Any, metric: str, prefix: str) -> None:
    rows, collate = trainer._prepared(dataset, "evaluation")
    if has_numbers(rows, collate, trainer.objective.vocab) is False:
        raise ValueError(
            f"`metric_for_best_model` is '{metric}', and no label of the evaluation set is a number token, so that no "
            f"model is ever the best. Evaluate on rows with numbers, or take '{prefix}_loss' or '{prefix}_ce_loss'."
        )
