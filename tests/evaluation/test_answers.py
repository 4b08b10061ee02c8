"""`score_answers`: from texts to metrics, with everything that was left out counted."""

import json
import math
import subprocess
import sys
from collections.abc import Sequence

import pytest

from ntl_hf.evaluation import (
    Score,
    from_json,
    score_answers,
    to_json,
)


def values(
    predictions: list[str],
    references: list[str],
    targets: Sequence[float | None] | None = None,
    answers: Sequence[str | None] | None = None,
) -> dict[str, float]:
    scores = score_answers(predictions, references, targets, answers, resamples=0)
    return {name: score.value for name, score in scores.items()}


# Every kind of answer, each with the number it is: those that the paper's own code read as another number included.
READABLE = {"1,250": 1250, "1.5e6": 1.5e6, "-0.5": -0.5, ".5": 0.5, "$12": 12, "50%": 50, "3/4": 0.75, "1 1/2": 1.5}


@pytest.mark.parametrize(("answer", "number"), READABLE.items())
def test_each_form_of_a_number_is_right(answer: str, number: float) -> None:
    for text in (answer, f"The answer is {answer}."):
        got = values([text], ["?"], [number])
        assert (got["number_accuracy"], got["mae"], got["unreadable"]) == (1, 0, 0)


@pytest.mark.parametrize("answer", ["3-5", "1,25", "1.2.3", "1_000", "1/0", "٣", "nan", "inf", "1e999", "none", ""])
def test_each_unreadable_answer_is_wrong_counted_and_charged(answer: str) -> None:
    got = values([answer, "10"], ["5", "10"], [5, 10])
    assert (got["number_accuracy"], got["unreadable"]) == (0.5, 0.5)
    # Without it the error is 0; with it, the answer to 5 is charged as 10.
    assert (got["mae"], got["mae_charged"], got["readable_rows"]) == (0, 2.5, 1)


def test_rows_that_are_left_out_are_counted() -> None:
    got = values(["a", "b", "7", "x"], ["a", "c", "7", "y"], [None, 1, 7, None], [None, None, "7", "9"])
    assert (got["rows"], got["number_rows"], got["readable_rows"]) == (4, 2, 1)
    assert (got["missing"], got["unreadable"], got["number_accuracy"]) == (0.5, 0.5, 0.5)
    assert got["sequence_accuracy"] == 0.5


def test_a_missing_answer_is_told_from_one_without_a_number() -> None:
    got = values(["t"] * 4, ["t"] * 4, [1, 2, 3, 4], [None, " ", "none", "4"])
    assert (got["missing"], got["unreadable"]) == (0.5, 0.75)


def test_the_answer_and_not_the_whole_text_is_read_where_there_is_one() -> None:
    texts = ["48/2 = 24. 48 + 24 = 72. #### 72"]
    assert values(texts, ["?"], [72], ["72"])["number_accuracy"] == 1
    assert values(texts, ["?"], [72])["unreadable"] == 1


def test_without_targets_there_are_text_metrics_alone() -> None:
    assert list(values(["a"], ["a"])) == ["rows", "sequence_accuracy", "bleu", "rouge1", "rouge2", "rouge_l"]


def test_no_number_row_at_all() -> None:
    got = values(["a"], ["a"], [None])
    assert got["number_rows"] == 0
    assert math.isnan(got["missing"])
    assert math.isnan(got["number_accuracy"])


def test_intervals_follow_the_settings() -> None:
    columns = [str(n % 7) for n in range(60)], ["3"] * 60, [3.0] * 60
    wide, narrow = (score_answers(*columns, confidence=c)["number_accuracy"] for c in (0.99, 0.5))
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low < narrow.value == wide.value
    assert score_answers(*columns, seed=1)["mae"] != score_answers(*columns, seed=2)["mae"]


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="no rows to score"):
        score_answers([], [])
    with pytest.raises(ValueError, match="1 predictions, 2 references"):
        score_answers(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="1 predictions, 1 references, 2 targets"):
        score_answers(["a"], ["a"], [1, 2])
    with pytest.raises(ValueError, match="1 predictions, 1 references, 1 targets, 0 answers"):
        score_answers(["a"], ["a"], [1], [])
    # By its place among all rows, the one without a target included.
    with pytest.raises(ValueError, match="target of row 2 is inf"):
        score_answers(["a"] * 3, ["a"] * 3, [None, 1, math.inf])


def test_the_result_goes_to_json_and_back() -> None:
    scores = score_answers(["1", "2", "5"], ["1", "3", "x"], [1, 3, None])
    text = json.dumps(to_json(scores), allow_nan=False)
    assert from_json(json.loads(text)) == scores
    assert json.loads(text)["rows"] == {"value": 3, "low": None, "high": None}


def test_undefined_is_null_in_json() -> None:
    scores = {"r2": Score(math.nan), "mae": Score(1.5, 1.0, 2.0)}
    text = json.dumps(to_json(scores), allow_nan=False)
    assert json.loads(text)["r2"] == {"value": None, "low": None, "high": None}
    assert math.isnan(from_json(json.loads(text))["r2"].value)


def test_a_missing_library_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sacrebleu", "sacrebleu.metrics"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError) as caught:
        score_answers(["1"], ["1"], [1])
    assert str(caught.value) == "The metrics need `sacrebleu`: pip install 'ntl-hf[evaluation]'"


def test_the_import_is_light() -> None:
    heavy = "{'scipy', 'sklearn', 'sacrebleu', 'rouge_score', 'torch', 'rich'}"
    code = f"import sys, ntl_hf.evaluation, ntl_hf.data.number_text; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
