"""GSM8K from a folder: format, answers, and what is refused with file and line."""

import json
import re
from pathlib import Path

import pytest

from ntl_hf.data import final_answer, gsm8k, load_gsm8k
from ntl_hf.data.number_text import read_number

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
        "target": 72.0,
    }
    (annotated,) = load_gsm8k(folder, keep_annotations=True)
    assert annotated["completion"] == " " + ROW["answer"]


GOOD = json.dumps(ROW)
BAD_LINES = {
    "not JSON": ('{"question": "a", ', "line 2: not valid JSON"),
    "no object": ("[1, 2]", "line 2: a JSON object is needed, this is a list"),
    "missing column": ('{"question": "a", "reply": "#### 1"}', r"line 2: no 'answer'; there is .*'reply'"),
    "wrong type": ('{"question": "a", "answer": 72}', "line 2: 'answer' is a int; a str is needed"),
    "no answer": ('{"question": "a", "answer": "72"}', "line 2: the answer has no number after '####'"),
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


def test_clean_numbers(tmp_path):
    row = {"question": "How much is 1,000 and 250 000?", "answer": "It is .5*<<.5*2=1>>2 = 1,001\n#### 251,000"}
    folder = folder_with(tmp_path, json.dumps(row))
    (clean,) = load_gsm8k(folder, clean_numbers=True)
    assert clean == {
        "prompt": "Question: How much is 1000 and 250000?\nAnswer:",
        "completion": " It is 0.5*2 = 1001\n#### 251000",
        "target": 251000.0,
    }
    (kept,) = load_gsm8k(folder, keep_annotations=True, clean_numbers=True)
    assert "0.5*<<0.5*2=1>>2" in kept["completion"]


def test_the_hub(monkeypatch):
    monkeypatch.setattr(gsm8k, "load_dataset", lambda *names, split: [ROW, ROW | {"answer": "#### 7 or 8"}])
    with pytest.raises(ValueError, match="openai/gsm8k, split 'train', row 2: the answer is '7 or 8'"):
        load_gsm8k()
    monkeypatch.setattr(gsm8k, "load_dataset", lambda *names, split: [ROW])
    assert load_gsm8k(split="test")["target"] == [72.0]


@pytest.mark.skipif(not REAL.is_dir(), reason="the GSM8K files are not beside the checkout")
def test_the_real_files():
    train, test = load_gsm8k(str(REAL)), load_gsm8k(str(REAL), "test")
    assert (len(train), len(test)) == (7473, 1319)
    assert not any("<<" in row["completion"] for row in train)
    assert all(read_number(final_answer(row["completion"], "####")) == row["target"] for row in test)
    clean = load_gsm8k(str(REAL), clean_numbers=True)
    assert clean["target"] == train["target"]
    for row in clean:
        assert (
            final_answer(row["completion"], "####").isdigit() or "-" in row["completion"] or "." in row["completion"]
        )
        assert not re.search(r"[0-9],[0-9]{3}(?![0-9])", row["prompt"] + row["completion"])
