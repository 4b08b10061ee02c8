"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168) as prompt and completion."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset

from .answer import clean_numbers as write_numbers_plainly
from .answer import final_answer
from .lines import field_of, find_file, read_json_lines
from .sets import check_split, number_in, question_and_answer, to_dataset

HUB_ID, HUB_CONFIG = "openai/gsm8k", "main"
SPLITS = ("train", "test")
ANSWER_MARK = "####"
_ANNOTATION = re.compile(r"<<[^<>]*>>")


def load_gsm8k(
    source: str | None = None, split: str = "train", keep_annotations: bool = False, clean_numbers: bool = False
) -> Dataset:
    """Load a split as columns `prompt` ("Question: ...\\nAnswer:"), `completion` (the worked answer) and `target`.

    Args:
        source: a local folder with `train.jsonl` and `test.jsonl` (columns `question` and `answer`); None takes the
            data set from the hub.
        split: "train" (7,473 rows) or "test" (1,319 rows).
        keep_annotations: keep the calculator annotations, such as `<<48/2=24>>`.
        clean_numbers: the paper's number-cleaned form, in questions and answers: `1,250` and `1 250` become `1250`,
            `.5` becomes `0.5` (see `ntl_hf.data.clean_numbers`).

    Returns:
        `target` is the number after `####`, float64.

    Raises:
        ValueError: unknown split, a malformed line, missing columns, an answer without a number after `####` (with
            file and line).
        FileNotFoundError: the folder or its file is missing.
    """
    check_split(split, SPLITS, "GSM8K")
    rows = _hub_rows(split) if source is None else _local_rows(Path(source), split)
    return to_dataset(_example(row, where, keep_annotations, clean_numbers) for where, row in rows)


def _hub_rows(split: str) -> Iterable[tuple[str, dict[str, Any]]]:
    rows = load_dataset(HUB_ID, HUB_CONFIG, split=split)
    return ((f"{HUB_ID}, split '{split}', row {number}", row) for number, row in enumerate(rows, start=1))


def _local_rows(folder: Path, split: str) -> Iterable[tuple[str, dict[str, Any]]]:
    path = find_file(folder, (f"{split}.jsonl",), "GSM8K")
    rows = list(read_json_lines(path))
    if not rows:
        raise ValueError(f"{path} has no rows.")
    return rows


def _example(row: dict[str, Any], where: str, keep_annotations: bool, clean: bool) -> dict[str, object]:
    question, answer = (field_of(row, name, str, where) for name in ("question", "answer"))
    final = final_answer(answer, ANSWER_MARK)
    if final is None:
        raise ValueError(f"{where}: the answer has no number after '{ANSWER_MARK}'.")
    target = number_in(final, where)
    if not keep_annotations:
        answer = _ANNOTATION.sub("", answer)
    if clean:
        question, answer = write_numbers_plainly(question), write_numbers_plainly(answer)
    return {**question_and_answer(question, answer), "target": target}
