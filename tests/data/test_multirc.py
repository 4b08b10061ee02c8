"""MultiRC in SuperGLUE's JSON lines and as the hub has it: right answers joined, numbers, what is refused."""

import json

import pytest
from datasets import Dataset

from ntl_hf.data import load_multirc, multirc


def question(text, *answers):
    return {"question": text, "answers": [{"text": answer, "label": label} for answer, label in answers]}


QUESTIONS = [
    question("How many?", ("12", 1), ("13", 0), ("12.0", 1)),
    question("Who?", ("Ann", 1), ("Bob", 1), ("Cid", 0)),
    question("How many or who?", ("12", 1), ("Ann", 1)),
    question("Which years?", ("1912", 1), ("1913", 1)),
    question("Nothing?", ("5", 0)),
]
PASSAGES = [
    {"idx": 0, "passage": {"text": "Ann and Bob had 12 dogs. ", "questions": QUESTIONS[:3]}},
    {"idx": 1, "passage": {"text": "Another.", "questions": QUESTIONS[3:]}},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "val.jsonl").write_text("\n".join(map(json.dumps, PASSAGES)))
    return tmp_path


def test_right_answers_are_joined(folder):
    rows = load_multirc(folder, "val")
    assert rows[1] == {
        "prompt": "Ann and Bob had 12 dogs.\n\nQuestion: Who?\nAnswer:",
        "completion": " Ann | Bob",
        "target": None,
    }
    assert rows["completion"] == [" 12 | 12.0", " Ann | Bob", " 12 | Ann", " 1912 | 1913", " "]
    assert rows["target"] == [12.0, None, None, None, None] and rows.features["target"].dtype == "float64"


def test_numeric_only(folder):
    (row,) = load_multirc(folder, "val", numeric_only=True)
    assert row["prompt"].endswith("How many?\nAnswer:") and row["target"] == 12
    (folder / "train.jsonl").write_text(json.dumps(PASSAGES[1]))
    with pytest.raises(ValueError, match="split 'train', has no questions with a number as the answer"):
        load_multirc(folder, "train", numeric_only=True)


def test_the_hub_has_a_row_an_answer(folder, monkeypatch):
    rows = [
        {
            "paragraph": passage["passage"]["text"],
            "question": q["question"],
            "answer": answer["text"],
            "label": answer["label"],
            "idx": {"paragraph": p, "question": i, "answer": a},
        }
        for p, passage in enumerate(PASSAGES)
        for i, q in enumerate(passage["passage"]["questions"])
        for a, answer in enumerate(q["answers"])
    ]
    asked = []

    def load(*names, split):
        asked.append((*names, split))
        return Dataset.from_list(rows)

    monkeypatch.setattr(multirc, "load_dataset", load)
    assert list(load_multirc(split="val")) == list(load_multirc(folder, "val"))
    assert asked == [("aps/super_glue", "multirc", "validation")]


BAD = {
    "not JSON": ("{oops", "not valid JSON"),
    "another format": ({"question": "a"}, "no 'passage'; there is \\['question'\\]"),
    "no text": ({"passage": {"questions": [QUESTIONS[0]]}}, "no 'text'"),
    "no answers": ({"passage": {"text": "a", "questions": [{"question": "b"}]}}, "no 'answers'"),
    "no labels": (
        {"passage": {"text": "a", "questions": [{"question": "b", "answers": [{"text": "c"}]}]}},
        "no 'label'",
    ),
    "another label": ({"passage": {"text": "a", "questions": [question("b", ("c", 2))]}}, "a 'label' is 2"),
    "answers in a text": ({"passage": {"text": "a", "questions": [{"question": "b", "answers": "c"}]}}, "is a str"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_named(case, folder):
    line, message = BAD[case]
    line = line if isinstance(line, str) else json.dumps(line)
    (folder / "train.jsonl").write_text(f"{json.dumps(PASSAGES[0])}\n{line}\n")
    with pytest.raises(ValueError, match=f"train.jsonl, line 2: .*{message}"):
        load_multirc(folder)


def test_splits(folder):
    with pytest.raises(ValueError, match=r"train, val, not 'test'\. The labels of its test split are not public"):
        load_multirc(folder, "test")
    with pytest.raises(FileNotFoundError, match=r"train.jsonl; found: \['val.jsonl'\]"):
        load_multirc(folder)
    (folder / "train.jsonl").write_text("")
    with pytest.raises(ValueError, match="split 'train', has no rows"):
        load_multirc(folder)
