"""CNN/DailyMail from files and the hub: one line each, no target."""

import json

import pytest
from datasets import Dataset

from ntl_hf.data import load_cnn_dailymail, named

ROW = {"article": "First line.\nSecond line.", "highlights": "One .\nTwo .", "id": "x"}


def test_article_to_highlights(tmp_path):
    (tmp_path / "validation.jsonl").write_text("\n".join([json.dumps(ROW)] * 3))
    rows = load_cnn_dailymail(tmp_path, "validation", max_rows=2)
    assert (
        list(rows) == [{"prompt": "summarize: First line. Second line.\nSummary:", "completion": " One . Two ."}] * 2
    )


def test_the_hub(monkeypatch):
    asked = []

    def load(*names, split):
        asked.append((*names, split))
        return Dataset.from_list([ROW])

    monkeypatch.setattr(named, "load_dataset", load)
    assert len(load_cnn_dailymail(split="test")) == 1
    assert asked == [("abisee/cnn_dailymail", "3.0.0", "test")]


def test_refused(tmp_path):
    with pytest.raises(ValueError, match="splits train, validation, test, not 'val'"):
        load_cnn_dailymail(tmp_path, "val")
    (tmp_path / "train.jsonl").write_text(json.dumps({"article": "a", "summary": "b"}))
    with pytest.raises(ValueError, match="split 'train' has no column 'highlights'"):
        load_cnn_dailymail(tmp_path)
    (tmp_path / "train.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps(ROW | {"article": None}))
    with pytest.raises(ValueError, match=r"1 rows have no 'article' \(null\), the first of them row 2"):
        load_cnn_dailymail(tmp_path)
