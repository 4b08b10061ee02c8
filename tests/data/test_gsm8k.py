"""GSM8K from a folder: format, answers, and what is refused with file and line."""

import json
from pathlib import Path

import pytest

from ntl_hf.data import extract_answer, load_gsm8k

ROW = {"question": "What is 24+48?", "answer": "It is 24+48 = <<24+48=72>>72.\n#### 72"}
REAL = Path(__file__).parents[3] / "shared" / "data" / "gsm8k"


def folder_with(tmp_path, *lines):
    (tmp_path / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(tmp_path)


def test_prompt_and_completion(tmp_path):
    folder = folder_with(tmp_path, json.dumps(ROW))
    (row,) = load_gsm8k(folder)
    assert row == {
        "prompt": "Question: What is 24+48?\nAnswer:",
        "completion": " It is 24+48 = 72.\n#### 72",
    }
    (annotated,) = load_gsm8k(folder, keep_annotations=True)
    assert annotated["completion"] == " " + ROW["answer"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so\n#### 72", "72"),
        ("#### 1,250", "1250"),
        ("#### -3.5", "-3.5"),
        ("#### $12", "12"),
        ("#### 7\n#### 8", "7"),
        ("#### 5.", "5"),
        ("72", None),
        ("#### many", None),
        ("", None),
    ],
)
def test_answers(text, answer):
    assert extract_answer(text) == answer


GOOD = json.dumps(ROW)
BAD_LINES = {
    "not JSON": ('{"question": "a", ', "line 2: not valid JSON"),
    "no object": ("[1, 2]", "line 2: a JSON object is needed, this is a list"),
    "missing column": ('{"question": "a", "reply": "#### 1"}', r"line 2: no column 'answer'.*'reply'"),
    "wrong type": ('{"question": "a", "answer": 72}', "line 2: column 'answer' is a int, not a string"),
    "no answer": ('{"question": "a", "answer": "72"}', "row 2: the answer has no number after '####'"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_named(case, tmp_path):
    line, message = BAD_LINES[case]
    with pytest.raises(ValueError, match=f"train.jsonl, {message}"):
        load_gsm8k(folder_with(tmp_path, GOOD, line, GOOD))


def test_missing_files_and_splits(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_gsm8k(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"test.jsonl; found: \['train.jsonl'\]"):
        load_gsm8k(folder_with(tmp_path, GOOD), "test")
    with pytest.raises(ValueError, match="not 'validation'"):
        load_gsm8k(str(tmp_path), "validation")
    with pytest.raises(ValueError, match="no rows"):
        load_gsm8k(folder_with(tmp_path, ""))


@pytest.mark.skipif(not REAL.is_dir(), reason="the GSM8K files are not beside the checkout")
def test_the_real_files():
    train, test = load_gsm8k(str(REAL)), load_gsm8k(str(REAL), "test")
    assert (len(train), len(test)) == (7473, 1319)
    assert not any("<<" in row["completion"] for row in train)
    assert all(float(extract_answer(row["completion"])) is not None for row in test)
