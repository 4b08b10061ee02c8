"""Columns that hold no texts: whole numbers become texts, the others are refused by name and type."""

import datetime
import decimal
import warnings

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, IterableDataset, Value, load_dataset
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.data.sets import column_names
from ntl_hf.data.text_columns import as_texts


def rows(*values):
    return Dataset.from_list([{"prompt": "1+1=", "completion": value} for value in values])


def stream(*values):
    made = [{"prompt": "1+1=", "completion": value} for value in values]
    return IterableDataset.from_generator(lambda: iter(made))


def turns(*contents, key="content"):
    return [{"role": "user", key: content} for content in contents]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3))
def test_whole_numbers_are_written_in_their_one_way(numbers):
    expected = list(map(str, numbers))
    assert as_texts(rows(*numbers), ["completion"])["completion"] == expected
    assert [row["completion"] for row in as_texts(stream(*numbers), ["prompt", "completion"])] == expected


def test_texts_are_left_alone(tmp_path):
    dataset = rows("2", "2.50", " NA")
    assert as_texts(dataset, ["prompt", "completion"]) is dataset
    assert list(as_texts(stream("2", "2.50"), ["completion"])) == list(stream("2", "2.50"))


def test_pandas_and_csv(tmp_path):
    frame = pd.DataFrame({"prompt": [1, 2], "completion": [3, 4]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    read = load_dataset("csv", data_files=str(tmp_path / "rows.csv"), split="train", cache_dir=str(tmp_path))
    for dataset in (Dataset.from_pandas(frame), read, read.to_iterable_dataset()):
        made = list(as_texts(dataset, ["prompt", "completion"]))
        assert made == [{"prompt": "1", "completion": "3"}, {"prompt": "2", "completion": "4"}]
    # A missing one makes all of them floats.
    frame.loc[1, "completion"] = None
    with pytest.raises(ValueError, match="column 'completion' is of type float64"):
        as_texts(Dataset.from_pandas(frame), ["completion"])


LABELS = Features({"prompt": Value("string"), "completion": ClassLabel(names=["no", "yes"])})
REFUSED = {
    "floats": (rows(2.0, 2.5), r"of type float64; strings .* \(2 or 2.0.*`dataset.map`.*`dataset_name`"),
    "decimals": (rows(decimal.Decimal("1.50")), r"of type decimal128.*not known"),
    "truth values": (rows(True), r"of type bool; .* \(true or True\)"),
    "dates": (rows(datetime.date(2024, 1, 15)), "of type date32; strings are needed. Make a text of it"),
    "lists": (rows(["2"]), "of type list"),
    "objects": (rows({"a": 2}), "of type object"),
    "nothing": (rows(None), "of type null; .* nothing in any row"),
    "labels": (rows(0, 1).cast(LABELS), "of type ClassLabel; .* `int2str`"),
    "several types": (
        Dataset.from_dict({"completion": [1, "1.50"]}, on_mixed_types="use_json"),
        r"of type Json \(values of several types\)",
    ),
    "null": (rows("1", None, "2"), "1 rows have no 'completion' .null., the first of them row 2; remove"),
    "null beside whole numbers": (rows(1, None), "1 rows have no 'completion' .null"),
    "a stream of floats": (stream(2.5), "row 1: 'completion' is of type float; .* not known"),
    "a stream of dates": (stream(datetime.date(2024, 1, 15)), "row 1: 'completion' is of type date; .* Make a text"),
    "a stream with types": (rows(2.5).to_iterable_dataset(), "column 'completion' is of type float64"),
    "a stream of nulls": (stream(None), "row 1: 'completion' is missing"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_column_and_type(case):
    dataset, message = REFUSED[case]
    with pytest.raises(ValueError, match=f"^The data set.*{message}"):
        as_texts(dataset, ["completion"])


def test_a_row_of_a_stream_that_is_another_is_refused_when_it_is_read():
    made = as_texts(stream("1", 2, 2.5), ["completion"])
    with pytest.raises(ValueError, match="row 3: 'completion' is of type float"):
        list(made)
    made = as_texts(stream(turns("1"), "2"), ["completion"], turns=True)
    with pytest.raises(ValueError, match="row 2: 'completion' is of type str, where other rows have another"):
        list(made)


def test_rows_that_were_taken_out_do_not_count():
    kept = rows("1", None, "2").filter(lambda row: row["completion"] is not None)
    assert as_texts(kept, ["completion"])["completion"] == ["1", "2"]


CONVERSATIONS = {
    "whole numbers": ((1, 2), ["1", "2"]),
    "texts": (("1.50", "x"), ["1.50", "x"]),
    "no text": (("1", None), ["1", None]),
    "several types": (("42", 7), ["42", "7"]),
    "parts": (([{"type": "text", "text": "1"}], [{"type": "text", "text": "2"}]), None),
}


@pytest.mark.parametrize("key", ["content", "value"])
@pytest.mark.parametrize("case", CONVERSATIONS)
def test_conversations(case, key):
    contents, expected = CONVERSATIONS[case]
    dataset = Dataset.from_list([{"messages": turns(*contents, key=key)}], on_mixed_types="use_json")
    for each in (dataset, IterableDataset.from_generator(lambda: iter(dataset))):
        (row,) = as_texts(each, ["messages"], turns=True)
        assert [turn[key] for turn in row["messages"]] == (expected or list(contents))


@pytest.mark.parametrize(
    ("contents", "message"),
    [((1.5, 2.0), "column 'messages' is of type float64"), (("1", 2.5), "row 1: 'messages: content' is .* float")],
)
def test_conversations_with_floats(contents, message):
    dataset = Dataset.from_list([{"messages": turns(*contents)}], on_mixed_types="use_json")
    with pytest.raises(ValueError, match=message):
        as_texts(dataset, ["messages"], turns=True)


def test_conversations_of_texts_are_left_alone():
    calls = {"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"x": 0.1234567890123}}]}
    dataset = Dataset.from_list(
        [{"messages": [{"role": "user", "content": "1.50"}, calls]}], on_mixed_types="use_json"
    )
    assert as_texts(dataset, ["messages"], turns=True) is dataset


def test_a_shift_of_csv_columns_is_told(tmp_path):
    (tmp_path / "rows.csv").write_text("prompt,completion\n1000+250=,1,250\n")
    shifted = load_dataset("csv", data_files=str(tmp_path / "rows.csv"), split="train", cache_dir=str(tmp_path))
    with pytest.warns(UserWarning, match="one field more than the header"):
        as_texts(shifted, ["prompt", "completion"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = pd.DataFrame({"completion": ["1", "2", "3"]})
        as_texts(Dataset.from_pandas(frame[frame["completion"] != "2"]), ["completion"])


FORMATS = ["numpy", "pandas", "torch", "arrow"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_taken_off(kind):
    for dataset in (
        rows(2, 3),
        rows("2", "3"),
        Dataset.from_list([{"completion": turns(2)}, {"completion": turns(3)}]),
    ):
        expected = list(as_texts(dataset, ["completion"], turns=True))
        for each in (dataset, dataset.to_iterable_dataset()):
            assert list(as_texts(each.with_format(kind), ["completion"], turns=True)) == expected


NO_CONVERSATIONS = {
    "empty": ([[], []], "row 1: the conversation 'messages' is empty"),
    "one empty": ([turns("1"), []], "row 2: the conversation 'messages' is empty"),
    "null turn": ([turns("1"), [*turns("1"), None]], "row 2: 'messages' has a turn that is null"),
    "no role": ([[{"content": 1.5}]], "'messages' has turns without a 'role'"),
    "one without role": ([[*turns("1"), {"content": "1", "n": {"a": 1}}]], "'messages' has turns without a 'role'"),
}


@pytest.mark.parametrize("case", NO_CONVERSATIONS)
@pytest.mark.parametrize("options", [{}, {"on_mixed_types": "use_json"}])
def test_conversations_that_are_none(case, options):
    conversations, message = NO_CONVERSATIONS[case]
    if case == "one without role" and not options:
        return  # a typed turn has all keys
    made = [{"messages": each} for each in conversations]
    with pytest.raises(ValueError, match=message):
        as_texts(Dataset.from_list(made, **options), ["messages"], turns=True)
    with pytest.raises(ValueError, match=message):
        list(as_texts(IterableDataset.from_generator(lambda: iter(made)), ["messages"], turns=True))


@pytest.mark.parametrize(("bad", "hint"), [([{"text": "1"}], "`Dataset.from_list"), (DatasetDict(), "of its splits")])
def test_what_is_no_data_set(bad, hint):
    with pytest.raises(TypeError, match=f"is needed, this is a {type(bad).__name__}.*{hint}"):
        column_names(bad)
