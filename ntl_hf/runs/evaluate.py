"""Scoring a model on a data set, by its own answers and on the true ones: the script behind `ntl-hf evaluate`."""

import json
import warnings
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import set_seed

from ..data import final_answer
from ..data.number_text import answer_number
from ..evaluation import Score, check_libraries, number_right, score_answers, score_decoded, to_json
from ..evaluation.answers import decoded_columns
from ..evaluation.harness import RESULTS, HarnessTasks, prepare_tasks, run_tasks, write_results
from ..evaluation.teacher_forced import TokenSums, score_sums
from ..settings.redaction import redacted
from ..trainers.precision_checks import dtypes_of, warn_of_slow_dtypes
from .answering import answering_for
from .data import DataArguments, load_eval_data
from .evaluation_arguments import METRICS_FILE, PREDICTIONS_FILE, EvaluationArguments
from .trained_model import load_trained

ARGUMENT_CLASSES = (DataArguments, EvaluationArguments)
# In a recipe for training, these are of the training.
TRAINING_KEYS = frozenset({"model_name_or_path", "model_revision", "output_dir", "overwrite_output_dir"})


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        scores: the metrics of `score_answers`, with `number_decoding` of `score_decoded`, and, of a model
            that answers in tokens, those of `score_sums`.
        content: what is written to `metrics.json`.
        folder: where.
        lm_eval: what the harness found, which is written to `lm_eval.json`; None without `lm_eval_tasks`.
    """

    scores: dict[str, Score]
    content: dict[str, Any]
    folder: Path
    lm_eval: dict[str, Any] | None = None


def run(data_args: DataArguments, args: EvaluationArguments) -> Evaluation:
    """Load model and data, let the model answer, score, and write `metrics.json` and `predictions.jsonl`.

    With `number_decoding`, numbers are also predicted from the model's distribution. With `lm_eval_tasks`, these are
    run afterwards, and `lm_eval.json` is written.

    Raises:
        ValueError: arguments, data or model that cannot be evaluated; `OSError` where something is not found. Nothing
            is generated before these are known, but for a context that is too short for the harness.
    """
    folder = _claim_folder(args)
    check_libraries()
    tasks = _harness_tasks(data_args, args)
    rows = load_eval_data(data_args)
    check_columns(rows)
    _warn_of_misread_references(rows, data_args)
    model, tokenizer = load_trained(args)
    answering = answering_for(model, tokenizer, rows, data_args, args)
    accelerator = None if args.use_cpu else torch.accelerator.current_accelerator(check_available=True)
    model.to(accelerator or torch.device("cpu"))
    if accelerator is None:
        warn_of_slow_dtypes(dtypes_of(model))
    # Before anything is generated: a folder that cannot be written is an error now.
    folder.mkdir(parents=True, exist_ok=True)
    # Of an evaluation that this one replaces.
    for name in (METRICS_FILE, RESULTS, PREDICTIONS_FILE):
        (folder / name).unlink(missing_ok=True)
    set_seed(args.seed)
    texts = answering.texts()
    answers = [final_answer(text, answering.answer_mark) for text in texts]
    # At once: these took the time, and whatever fails later can be made from them.
    predictions = _predictions(rows, texts, answers)
    _write_predictions(folder, predictions)
    decoded = answering.decoded()
    if decoded:
        pairs = zip(predictions, decoded, strict=True)
        _write_predictions(folder, [{**line, **decoded_columns(number)} for line, number in pairs])
    sums = answering.sums()
    bootstrap: dict[str, Any] = {"confidence": args.confidence, "resamples": args.resamples, "seed": args.seed}
    targets = _targets(rows)
    scores = {
        **score_answers(texts, rows["completion"][:], targets, answers, **bootstrap),
        **(score_decoded(decoded, targets, **bootstrap) if decoded and targets is not None else {}),
        **({} if sums is None else score_sums(sums, **bootstrap)),
    }
    evaluation = Evaluation(scores, _content(len(rows), scores, sums, data_args, args), folder)
    # Last: its being there says that all is.
    (folder / METRICS_FILE).write_text(json.dumps(evaluation.content, indent=2) + "\n", encoding="utf-8")
    if tasks is None:
        return evaluation
    # Last, because the harness sets seeds of its own: our metrics are the same with it and without.
    sizes = {"batch_size": args.per_device_eval_batch_size, "max_new_tokens": args.max_new_tokens}
    results = run_tasks(tasks, model, tokenizer, **sizes, limit=data_args.max_eval_samples)
    results = {"model": redacted(args.model_name_or_path), **results}
    write_results(folder, results)
    return replace(evaluation, lm_eval=results)


def _harness_tasks(data_args: DataArguments, args: EvaluationArguments) -> HarnessTasks | None:
    if not args.lm_eval_tasks:
        if args.lm_eval_num_fewshot is not None:
            raise ValueError("`lm_eval_num_fewshot` is of `lm_eval_tasks`; name these, or remove it.")
        return None
    local = data_args.data_path if data_args.task == "gsm8k" else None
    return prepare_tasks(args.lm_eval_tasks, args.lm_eval_num_fewshot, local)


def _claim_folder(args: EvaluationArguments) -> Path:
    name = args.model_name_or_path
    if name is None:
        raise ValueError("`model_name_or_path` is missing: a checkpoint, an adapter's folder or a hub id.")
    if args.output_dir is None and not Path(name).is_dir():
        raise ValueError(
            f"There is no folder {name}; if it is a hub id, `output_dir` is missing: the folder for the metrics and "
            "predictions."
        )
    folder = Path(args.output_dir) if args.output_dir is not None else Path(name) / "evaluation"
    if folder.is_file():
        raise ValueError(f"`output_dir` {folder} is a file.")
    if any((folder / name).exists() for name in (METRICS_FILE, PREDICTIONS_FILE)) and not args.overwrite_output_dir:
        raise ValueError(
            f"`output_dir` {folder} holds another evaluation. Choose another folder, or add --overwrite_output_dir."
        )
    return folder


def check_columns(rows: Dataset) -> None:
    """Raise `ValueError` for rows that cannot be asked and scored: prompt and completion are needed, as texts."""
    if not {"prompt", "completion"} <= set(rows.column_names):
        raise ValueError(
            f"An evaluation needs the columns 'prompt' and 'completion'; the data set has {rows.column_names}. Name "
            "them with `columns`."
        )
    for name in ("prompt", "completion"):
        if not isinstance(rows[0][name], str):
            raise ValueError(
                f"'{name}' is a {type(rows[0][name]).__name__}; conversations cannot be evaluated on yet."
            )


def _targets(rows: Dataset) -> list[float | None] | None:
    return rows["target"][:] if "target" in rows.column_names else None


def _content(
    rows: int, scores: dict[str, Score], sums: TokenSums | None, data_args: DataArguments, args: EvaluationArguments
) -> dict[str, Any]:
    # What says which rows these are.
    data = {each.name: getattr(data_args, each.name) for each in fields(data_args) if "train" not in each.name}
    settings = {name: value for name, value in data.items() if value is not None}
    return {
        "model": redacted(args.model_name_or_path),
        "rows": rows,
        "metrics": to_json(scores),
        "number_distribution": None if sums is None else sums.number_distribution(),
        "settings": redacted({**settings, **asdict(args)}),
    }


def _warn_of_misread_references(rows: Dataset, data_args: DataArguments) -> None:
    """Where the true text does not read as its target, a perfect answer would count as wrong."""
    targets = _targets(rows)
    if targets is None:
        return
    pairs = list(zip(rows["completion"][:], targets, strict=True))
    answers = [final_answer(text, data_args.answer_mark) for text, target in pairs if target is not None]
    numbers = [None if answer is None else answer_number(answer) for answer in answers]
    known = [target for _, target in pairs if target is not None]
    wrong = [i for i, right in enumerate(number_right(numbers, known)) if not right]
    if wrong:
        warnings.warn(
            f"{len(wrong)} of {len(known)} completions do not read as their target, such as {answers[wrong[0]]!r} as "
            f"{known[wrong[0]]:g}: answers like these count as wrong. Is `answer_mark` right?"
        )


def _predictions(rows: Dataset, texts: list[str], answers: list[str | None]) -> list[dict[str, Any]]:
    """What is written of each row."""
    return [
        {
            "row": i,
            "prompt": row["prompt"],
            "reference": row["completion"],
            "prediction": text,
            "target": row.get("target"),
            "number": None if answer is None else answer_number(answer),
        }
        for i, (row, text, answer) in enumerate(zip(rows, texts, answers, strict=True))
    ]


def _write_predictions(folder: Path, predictions: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in predictions)
    (folder / PREDICTIONS_FILE).write_text(text, encoding="utf-8")
