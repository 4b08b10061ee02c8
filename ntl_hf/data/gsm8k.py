"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168) as prompt and completion."""

import re
from pathlib import Path

from datasets import Dataset, load_dataset

from .json_lines import read_json_lines
from .question import question_and_answer

HUB_ID, HUB_CONFIG = "openai/gsm8k", "main"
SPLITS = ("train", "test")
ANSWER_MARK = "####"
_ANNOTATION = re.compile(r"<<[^<>]*>>")
_ANSWER = re.compile(re.escape(ANSWER_MARK) + r"\s*\$?\s*(-?[0-9][0-9,]*(?:\.[0-9]+)?)")


def load_gsm8k(source: str | None = None, split: str = "train", keep_annotations: bool = False) -> Dataset:
    """Load a split as columns `prompt` ("Question: ...\\nAnswer:") and `completion` (the worked answer).

    Args:
        source: a local folder with `train.jsonl` and `test.jsonl` (columns `question` and `answer`); None takes the
            data set from the hub.
        split: "train" (7,473 rows) or "test" (1,319 rows).
        keep_annotations: keep the calculator annotations, such as `<<48/2=24>>`.

    Raises:
        ValueError: unknown split, a malformed line, missing columns (with file and line), or an answer without `####`.
        FileNotFoundError: the folder or its file is missing.
    """
    if split not in SPLITS:
        raise ValueError(f"GSM8K has the splits {' and '.join(SPLITS)}, not '{split}'.")
    rows = load_dataset(HUB_ID, HUB_CONFIG, split=split) if source is None else _local_rows(Path(source), split)
    return Dataset.from_list([_example(row["question"], row["answer"], keep_annotations) for row in rows])


def extract_answer(text: str) -> str | None:
    """The number after the first `####`, without thousands separators; None where there is none."""
    found = _ANSWER.search(text)
    return found.group(1).replace(",", "") if found else None


def _local_rows(folder: Path, split: str) -> list[dict[str, str]]:
    path = folder / f"{split}.jsonl"
    if not path.is_file():
        there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else "no such folder"
        raise FileNotFoundError(f"GSM8K needs {path}; found: {there}.")
    rows = list(read_json_lines(path, ("question", "answer")))
    if not rows:
        raise ValueError(f"{path} has no rows.")
    for number, row in enumerate(rows, start=1):
        if extract_answer(row["answer"]) is None:
            raise ValueError(f"{path}, row {number}: the answer has no number after '{ANSWER_MARK}'.")
    return rows


def _example(question: str, answer: str, keep_annotations: bool) -> dict[str, str]:
    if not keep_annotations:
        answer = _ANNOTATION.sub("", answer)
    return question_and_answer(question, answer)
