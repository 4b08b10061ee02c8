"""What `metric_for_best_model` names must be in every evaluation, and be a number; else no model is ever the best."""

import logging
from typing import Any

from ..settings.errors import did_you_mean
from .checks import has_numbers

logger = logging.getLogger(__name__)

# What the stock trainers measure; those of TRL have no name of a set in them.
_STOCK = ("loss", "runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
_TRL = ("eval_entropy", "eval_mean_token_accuracy", "eval_num_tokens")
_ALWAYS_THERE = ("number_token_fraction", "ce_loss")
_MODULES = ("ntl_hf", "transformers", "trl")


def check_best_metric(trainer: Any, own: tuple[str, ...] = ()) -> None:
    """Raise `ValueError` for a `metric_for_best_model` that no evaluation will have, or as NaN only.

    Where `compute_metrics`, a callback or a subclass may add metrics, a name that is not known is let through. Sets
    `greater_is_better` of the arguments where the name tells it.

    Args:
        trainer: with its arguments and evaluation sets.
        own: names of the metrics that this trainer adds to the stock ones, without "eval_".
    """
    metric, sets = trainer.args.metric_for_best_model, trainer.eval_dataset
    if metric is None:
        return
    metric = metric if metric.startswith("eval_") else f"eval_{metric}"
    named = {f"eval_{name}": each for name, each in sets.items()} if isinstance(sets, dict) else {"eval": sets}
    found = {f"{prefix}_{name}": (prefix, name) for prefix in named for name in (*_STOCK, *own)}
    prefix, name = found.get(metric, ("", ""))
    if name == "loss" or name in own:
        _set_direction(trainer, metric, name)
    if sets is None or str(trainer.args.eval_strategy.value) == "no":
        return
    if name in own and name not in _ALWAYS_THERE:
        _check_has_numbers(trainer, named[prefix], metric, prefix)
    names = [*(each for each, (_, short) in found.items() if short in ("loss", *own)), *_of_trl(trainer)]
    if metric not in (*found, *names) and "_mem_" not in metric and _knows_all(trainer):
        raise ValueError(
            f"`metric_for_best_model` is '{metric}', which no evaluation has.{_nearest(metric, names)} There are: "
            f"{', '.join(names)}."
        )


def _set_direction(trainer: Any, metric: str, name: str) -> None:
    """The arguments take all for better when greater whose name does not end in "loss", such as an error."""
    is_lower_better = name.endswith("loss") or name == "number_mae"
    if name == "number_token_fraction" or trainer.args.greater_is_better is not is_lower_better:
        return
    trainer.args.greater_is_better = not is_lower_better
    if trainer.accelerator.is_main_process:
        logger.warning(
            "`metric_for_best_model` %s is better when %s: `greater_is_better` is set to %s.",
            metric,
            "lower" if is_lower_better else "greater",
            trainer.args.greater_is_better,
        )


def _of_trl(trainer: Any) -> tuple[str, ...]:
    if not hasattr(trainer, "_metrics"):
        return ()
    return (*_TRL, "eval_aux_loss") if getattr(trainer, "aux_loss_enabled", False) else _TRL


def _nearest(metric: str, names: list[str]) -> str:
    """A hint at a name that ends in the same word, or is spelled alike."""
    names = [name for name in names if name != "eval_num_tokens"]  # which is no quality of a model
    alike = [name for name in names if name.endswith(f"_{metric.rpartition('_')[2]}")]
    return did_you_mean(metric, alike, cutoff=0) or did_you_mean(metric, names)


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
