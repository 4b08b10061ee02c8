"""MultiRC (Khashabi et al. 2018) as in SuperGLUE: questions about a passage, with several right answers."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset

from .lines import field_of, find_file, read_json_lines
from .number_text import read_number
from .sets import check_split, question_and_answer, to_dataset

HUB_ID, HUB_CONFIG = "aps/super_glue", "multirc"
SPLITS = ("train", "val")
SEPARATOR = " | "


def load_multirc(source: str | Path | None = None, split: str = "train", numeric_only: bool = False) -> Dataset:
    """Load a split as `prompt` (passage, empty line, "Question: ...\\nAnswer:"), `completion` and `target`.

    The completion is all right answers, joined by " | ", as in the paper (arXiv 2411.02083); nothing where no answer
    is right.

    Args:
        source: a local folder with `train.jsonl` and `val.jsonl`; None takes the data set from the hub.
        split: "train" or "val". The labels of the original's test split are not public.
        numeric_only: keep the questions whose right answers are all one and the same number, such as "12".

    Returns:
        `target` is that number, float64, and None in rows whose right answers are something else.

    Raises:
        ValueError: unknown split, a malformed line or missing fields (with file and line), or no rows.
        FileNotFoundError: the folder or its file is missing.
    """
    check_split(split, SPLITS, "MultiRC", "The labels of its test split are not public.")
    questions = _hub_questions(split) if source is None else _local_questions(Path(source), split)
    rows = [_example(passage, question, answers) for passage, question, answers in questions]
    rows = [row for row in rows if row["target"] is not None] if numeric_only else rows
    if not rows:
        which = "questions with a number as the answer" if numeric_only else "rows"
        raise ValueError(f"MultiRC in {source or HUB_ID}, split '{split}', has no {which}.")
    return to_dataset(rows)


def _example(passage: str, question: str, answers: list[str]) -> dict[str, Any]:
    pair = question_and_answer(question.strip(), SEPARATOR.join(answer.strip() for answer in answers))
    numbers = {read_number(answer) for answer in answers}
    target = numbers.pop() if len(numbers) == 1 else None
    return {**pair, "prompt": f"{passage.strip()}\n\n{pair['prompt']}", "target": target}


def _local_questions(folder: Path, split: str) -> Iterator[tuple[str, str, list[str]]]:
    path = find_file(folder, (f"{split}.jsonl",), "MultiRC")
    for where, row in read_json_lines(path):
        passage = field_of(row, "passage", dict, where)
        for question in field_of(passage, "questions", list, where):
            answers = [_labelled(answer, where) for answer in field_of(question, "answers", list, where)]
            yield (
                field_of(passage, "text", str, where),
                field_of(question, "question", str, where),
                [text for text, is_right in answers if is_right],
            )


def _labelled(answer: Any, where: str) -> tuple[str, bool]:
    label = field_of(answer, "label", int, where)
    if label not in (0, 1):
        raise ValueError(f"{where}: a 'label' is {label}; it must be 0 or 1.")
    return field_of(answer, "text", str, where), label == 1


def _hub_questions(split: str) -> Iterable[tuple[str, str, list[str]]]:
    """The hub has a row for each answer; those of a question follow each other."""
    rows = load_dataset(HUB_ID, HUB_CONFIG, split={"val": "validation"}.get(split, split))
    for _, group in groupby(rows, key=lambda row: (row["idx"]["paragraph"], row["idx"]["question"])):
        answers = list(group)
        right = [row["answer"] for row in answers if row["label"] == 1]
        yield answers[0]["paragraph"], answers[0]["question"], right
