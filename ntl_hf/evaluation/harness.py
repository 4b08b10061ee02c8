"""GSM8K and other tasks as EleutherAI's lm-evaluation-harness runs them, on a model that is loaded already."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.gsm8k import HUB_ID, SPLITS, load_gsm8k
from ..settings.errors import did_you_mean
from .libraries import library
from .table import rich_table, show_number

if TYPE_CHECKING:
    from rich.table import Table

RESULTS = "lm_eval.json"
_WRAPPER = "lm_eval.models.huggingface"
# Of what the harness returns; the rest describes the machine.
_KEPT = ("results", "groups", "n-shot", "n-samples", "versions", "higher_is_better", "configs", "lm_eval_version")


@dataclass(frozen=True)
class HarnessTasks:
    """Tasks with their rows, ready to be run; see `prepare_tasks`."""

    tasks: list[Any]
    manager: Any
    num_fewshot: int | None


def prepare_tasks(
    names: Sequence[str], num_fewshot: int | None = None, gsm8k_folder: str | Path | None = None
) -> HarnessTasks:
    """Find tasks of the harness and load their rows, before a model is there to wait for them.

    Args:
        names: of tasks, groups or tags, as the harness lists them (`lm_eval ls tasks`).
        num_fewshot: worked examples before each question. None: as each task has it, 5 for gsm8k. A task that is
            zero-shot by definition stays so.
        gsm8k_folder: `train.jsonl` and `test.jsonl`, for the named tasks that ask GSM8K's questions; nothing of these
            comes from the hub then. Tasks inside a group or a tag are left as they are.

    Raises:
        ImportError: the harness, or what one of its tasks needs, is not installed.
        ValueError: an unknown task, broken rows, fewer rows than the prompts need, or a task that would run code.
        OSError: rows are not found.
    """
    if num_fewshot is not None and num_fewshot < 0:
        raise ValueError(f"`lm_eval_num_fewshot` must be 0 or more, not {num_fewshot}.")
    manager = _task_manager(names)
    folder = None if gsm8k_folder is None else Path(gsm8k_folder)
    if folder is not None:
        # Its errors name the line.
        for split in SPLITS:
            load_gsm8k(str(folder), split)
    tasks = [task for name in dict.fromkeys(names) for task in _load(name, manager, folder)]
    # Again, all together: it refuses a task that was named twice, say by its group.
    for task in manager.load(tasks)["tasks"].values():
        _check_task(task, num_fewshot)
    return HarnessTasks(tasks, manager, num_fewshot)


def run_tasks(
    prepared: HarnessTasks,
    model: Any,
    tokenizer: Any,
    *,
    batch_size: int,
    max_new_tokens: int = 256,
    limit: int | None = None,
) -> dict[str, Any]:
    """Let the harness ask and score, with its own prompts, ends of an answer and seeds, as in published results.

    Args:
        prepared: see `prepare_tasks`; to be run once.
        model: a decoder or an encoder-decoder, with adapter or without, where it is to run.
        tokenizer: its tokenizer.
        batch_size: prompts at a time.
        max_new_tokens: longest answer of the tasks that do not say; 256 is what the harness takes.
        limit: the first rows of each task only.

    Returns:
        What the harness reports of tasks and metrics, without the rows.

    Raises:
        ValueError: the harness cannot run this model, say because its context is too short.
    """
    settings = {"num_fewshot": prepared.num_fewshot, "limit": limit, "task_manager": prepared.manager}
    try:
        wrapped = _wrap(model, tokenizer, batch_size, max_new_tokens)
        results = _library("lm_eval").simple_evaluate(wrapped, tasks=prepared.tasks, log_samples=False, **settings)
    except AssertionError as error:
        # Its way of refusing.
        raise ValueError(f"lm_eval: {error}") from error
    return {key: results[key] for key in _KEPT if key in results}


def write_results(folder: Path, results: Mapping[str, Any]) -> None:
    """Write `lm_eval.json`; functions in the configuration of a task become their names."""
    default = _library("lm_eval.utils").handle_non_serializable
    (folder / RESULTS).write_text(json.dumps(results, indent=2, default=default) + "\n", encoding="utf-8")


def to_table(results: Mapping[str, Any]) -> "Table":
    """A `rich` table with a row a task and metric."""
    rows = (
        (task, str(results["n-shot"].get(task, "")), metric, show_number(value), show_number(error))
        for task, scores in results["results"].items()
        for metric, value, error in _metrics(scores)
    )
    header = ("task", "shots", "metric", "value", "standard error")
    numbers = ("shots", "value", "standard error")
    return rich_table(f"lm_eval {results['lm_eval_version']}", header, rows, numbers)


def _metrics(scores: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The harness' keys are `metric,filter` and `metric_stderr,filter`, among others without a comma."""
    for key, value in scores.items():
        metric, comma, way = key.partition(",")
        if comma and not metric.endswith("_stderr"):
            yield (metric if way == "none" else f"{metric} ({way})"), value, scores.get(f"{metric}_stderr,{way}")


def _task_manager(names: Sequence[str]) -> Any:
    """Reading the list of all tasks takes ten seconds, GSM8K's own no time."""
    tasks = _library("lm_eval.tasks")
    near = tasks.TaskManager(include_path=str(Path(tasks.__file__).parent / "gsm8k"), include_defaults=False)
    # Of a tag, others may have it too.
    if set(names) <= set(near.all_subtasks):
        return near
    manager = tasks.TaskManager()
    for name in names:
        if name not in manager.all_tasks:
            hint = did_you_mean(name, manager.all_tasks, n=3)
            raise ValueError(f"lm_eval has no task '{name}'.{hint} `lm_eval ls tasks` lists all.")
    return manager


def _load(name: str, manager: Any, folder: Path | None) -> list[Any]:
    loaded = manager.load([_spec(name, manager, folder)])
    # A group is kept whole, for its own averages.
    return [loaded["groups"][name]] if name in loaded["groups"] else list(loaded["tasks"].values())


def _spec(name: str, manager: Any, folder: Path | None) -> str | dict[str, Any]:
    config = manager.task_index[name].cfg or {}
    if folder is None or config.get("dataset_path") != HUB_ID:
        return name
    files = {split: str(folder / f"{split}.jsonl") for split in SPLITS}
    local = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    # Members of a group are how the harness has settings of a task replaced.
    return {"group": "local files", "task": [{"task": name, **local}]}


def _check_task(task: Any, num_fewshot: int | None) -> None:
    if getattr(task, "UNSAFE_CODE", False):
        raise ValueError(f"'{task.task_name}' runs what the model writes; use `lm_eval` itself for it.")
    own = task.get_config("num_fewshot")
    shots = (own or 0) if num_fewshot is None or own == 0 else num_fewshot
    there = len(task.fewshot_docs() or ()) if shots else 0
    if there < shots:
        raise ValueError(
            f"The prompts of '{task.task_name}' have {shots} worked examples, and there are {there} to choose from: "
            "set a lower `lm_eval_num_fewshot`."
        )


def _wrap(model: Any, tokenizer: Any, batch_size: int, max_new_tokens: int) -> Any:
    # An attribute in the place of the property that says 256, so that a task's own limit still comes first.
    wrapper: Any = type("LoadedModel", (_library(_WRAPPER).HFLM,), {"max_gen_toks": max_new_tokens})
    backend = "seq2seq" if model.config.is_encoder_decoder else "causal"
    log = logging.getLogger(_WRAPPER)
    level = log.level
    # It would tie weights that are tied, and not find them where an adapter has rows of its own in a tied embedding;
    # and warn of a model that is loaded already.
    model.tie_weights = lambda: None
    log.setLevel(logging.ERROR)
    try:
        return wrapper(pretrained=model, tokenizer=tokenizer, backend=backend, batch_size=batch_size)
    finally:
        del model.tie_weights
        log.setLevel(level)


def _library(module: str) -> Any:
    return library(module, "The tasks of lm_eval", "lm-eval")
