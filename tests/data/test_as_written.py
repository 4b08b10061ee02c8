"""JSON, CSV and TSV files as data sets: what stands there is what comes out, or the file and line of what cannot."""

import csv
import gzip
import io
import json

import pytest
from datasets import List, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ntl_hf.data import load_named, map_columns
from ntl_hf.data.text_columns import as_texts

NUMBERS = ["2", "2.5", "9007199254740993", "0.00001", "1e5", "-0", "1.50", "99999999999999999999999", "1E-300"]


def load(folder, content, name="rows.jsonl", split="train"):
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return load_named(str(folder / name), None, split)


LAYOUTS = {
    "rows.jsonl": "\n".join,
    "rows.ndjson.gz": "\n\n".join,
    "lines.json": "\n".join,
    "list.json": lambda rows: f"[{', '.join(rows)}]",
    "list.jsonl": lambda rows: f"\n[\n{','.join(rows)}\n]\n",
    "list.json.gz": lambda rows: "[\n" + ",\n".join(rows) + "\n]",
    "objects.json": lambda rows: "\n".join(row.replace(", ", ",\n ").replace("{", "{\n") for row in rows),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_numbers_of_json_are_the_text_that_was_written(name, tmp_path):
    rows = [f'{{"q": "{number}", "a": {number}}}' for number in NUMBERS]
    dataset = load(tmp_path, LAYOUTS[name](rows), name)
    assert dataset["q"] == dataset["a"] == NUMBERS
    columns = {"prompt": "What is {a}?", "completion": " {a}", "target": "a"}
    with pytest.warns(UserWarning, match="whole number beyond 2.53, of which float64 keeps about 16 digits"):
        mapped = map_columns(dataset, columns, "rows")
    assert mapped["completion"] == [f" {number}" for number in NUMBERS]
    assert mapped["target"] == [float(number) for number in NUMBERS]


def test_folders_with_splits(tmp_path):
    folder = str(tmp_path / "set")
    for name in ("train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl.gz", "test-00000-of-00001.json"):
        load(tmp_path / "set" / "data", f'{{"a": 1.50, "b": "{name}"}}', name)
    shards = load_named(folder, None, "train")
    assert shards["a"] == ["1.50"] * 2 and ["00000" in name for name in shards["b"]] == [True, False]
    assert len(load_named(folder, None, "test")) == 1
    with pytest.raises(ValueError, match=r"""set: Unknown split "dev"\. Should be one of \['train', 'test'\]"""):
        load_named(folder, None, "dev")
    (tmp_path / "set/data/train-00000-of-00002.jsonl").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(ValueError, match=r"set/data/train-00000-of-00002\.jsonl, line 2: not valid JSON"):
        load_named(folder, None, "train")


def test_texts_that_look_like_something_else_stay_texts(tmp_path):
    texts = ["2024-01-15", "2024-01-15 10:00:00", "1.50", "NA", "nan", "true", "null", "", " 2 ", "007", '{"a": 1}']
    rows = [{"a": text, "b": text} for text in texts] + [{"a": 1, "b": None}]
    dataset = load(tmp_path, "\n".join(map(json.dumps, rows)))
    assert dataset["a"] == [*texts, "1"] and dataset["b"] == [*texts, None]


def test_truth_values_are_written_as_json_writes_them(tmp_path):
    assert load(tmp_path, '{"a": true}\n{"a": false}\n{"a": 1.0}')["a"] == ["true", "false", "1.0"]


def test_the_texts_of_turns_are_as_written_and_other_numbers_stay_numbers(tmp_path):
    rows = """
    {"messages": [{"role": "user", "content": 1.50}, {"role": "assistant", "content": "42"}], "ids": [1, 2]}
    {"messages": [{"role": "user", "content": "x"}], "ids": [3]}
    """
    dataset = load(tmp_path, rows)
    contents = [[turn["content"] for turn in turns] for turns in dataset["messages"]]
    assert contents == [["1.50", "42"], ["x"]]
    assert dataset.features["messages"] == List({"role": Value("string"), "content": Value("string")})
    assert dataset["ids"] == [[1, 2], [3]] and dataset.features["ids"] == List(Value("int64"))


MIXED = [
    {"messages": [{"role": "user", "content": "42"}, {"role": "user", "content": [{"type": "text", "text": "1.5"}]}]},
    {"messages": [{"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"x": 2.5}}]}]},
    {"messages": [], "tools": [{"f": {"a": 1}}, {"g": "1.50"}], "any": "42"},
    {"messages": None, "tools": None, "any": ["1.50", {"a": None}]},
]


def test_objects_of_several_kinds_keep_their_keys_and_texts(tmp_path):
    dataset = load(tmp_path, "\n".join(map(json.dumps, MIXED)))
    for row, expected in zip(dataset, MIXED, strict=True):
        assert row == {name: expected.get(name) for name in ("messages", "tools", "any")}
    # Also where a trainer's map writes the rows again.
    assert list(dataset.map(lambda row: {"n": 1}).select_columns(["messages"])) == list(
        dataset.select_columns(["messages"])
    )


def calls(**arguments):
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    return [{"role": "user", "content": "?"}, {"role": "assistant", "content": None, "tool_calls": [call]}]


NESTED = {
    "kinds of numbers": [calls(x=1), calls(x=2.5), calls(x=-3)],
    "digits": [calls(x=1.59, y="1.59"), calls(z=0.1234567890123456, y="42"), calls(x=5e-324)],
    "long": [calls(x=1), calls(x=99999999999999999999), calls(x=9007199254740993)],
    "deep": [json.loads("[" * 90 + "1.59" + "]" * 90), {"a": 1}],
    "settings": [{"k": 1, "l": [True]}, {"k": 2.5, "l": [1]}],
    "lists": [[9007199254740993], [0.5], [1.59, None], []],
}


@pytest.mark.parametrize("case", NESTED)
def test_numbers_within_objects_and_lists_stay_what_they_are(case, tmp_path):
    expected = [repr(value) for value in NESTED[case]]
    dataset = load(tmp_path, "\n".join(json.dumps({"a": value, "b": "1"}) for value in NESTED[case]))
    again = dataset.map(lambda row: {"b": "2"})
    for each in (dataset, again, as_texts(dataset, ["b"]).to_iterable_dataset(), again.map(lambda row: row)):
        rows = [row["a"] for row in each]
        # What fills a row of a typed column up are nulls.
        assert list(map(repr, rows)) == expected


@pytest.mark.parametrize("key", ["reasoning_content", "thinking", "name"])
def test_all_texts_of_turns_are_as_written(key, tmp_path):
    rows = [f'{{"messages": [null, {{"role": "user", "content": "x", "{key}": {n}}}]}}' for n in ("1.50", "2", "2.0")]
    dataset = load(tmp_path, "\n".join(rows))
    assert [turns[1][key] for turns in dataset["messages"]] == ["1.50", "2", "2.0"]


def test_a_list_of_texts_or_numbers_is_the_column_text(tmp_path):
    assert load(tmp_path, '["1+1=2", 1.50]', "rows.json")["text"] == ["1+1=2", "1.50"]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "c"]),
            st.none() | st.text(st.characters(codec="utf-8"), max_size=6),
            min_size=1,
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_texts_of_json_come_out_as_they_went_in(tmp_path, rows):
    dataset = load(tmp_path, "\n".join(map(json.dumps, rows)))
    names = list(dict.fromkeys(name for row in rows for name in row))
    assert list(dataset) == [{name: row.get(name) for name in names} for row in rows]


@given(st.lists(st.tuples(*[st.text(st.sampled_from('ab1,.\t"\n; é'), max_size=6)] * 2), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize(("ending", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_any_fields_come_out_as_they_went_in(tmp_path, ending, separator, rows):
    written = io.StringIO()
    csv.writer(written, delimiter=separator).writerows([("q", "a"), *rows])
    dataset = load(tmp_path, written.getvalue(), f"rows{ending}")
    assert [(row["q"] or "", row["a"] or "") for row in dataset] == rows


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv_is_read_as_it_stands(name, tmp_path):
    content = '\ufeff,q,a\n0,"2\r\nlines, ""x""",1.50\n\n1, 007 ,NA\n2,,"1,250"\n'
    dataset = load(tmp_path, content, name)
    # The index of a pandas frame is one of the columns.
    assert list(dataset.features) == ["Unnamed: 0", "q", "a"]
    assert dataset["q"] == ['2\r\nlines, "x"', " 007 ", None] and dataset["a"] == ["1.50", "NA", "1,250"]


def test_a_field_may_be_long(tmp_path):
    assert len(load(tmp_path, f"q,a\n{'x' * 200_000},1\n", "rows.csv")["q"][0]) == 200_000


REFUSED = {
    "more.csv": (
        "prompt,completion\n1+1=,2\n1000+250=,1,250\n",
        r"more.csv, line 3: 3 fields for 2 columns \(prompt, completion\): '1000\+250=,1,250'. Put .* quotes",
    ),
    "every.csv": ("prompt,completion\n1000+250=,1,250\n", "every.csv, line 2: 3 fields"),
    "fewer.csv": ("prompt,completion\n1+1=\n2,\n", "fewer.csv, line 2: 1 fields .* Fill in what is missing"),
    "after.csv": ('q,a\n"two\nlines",1\n1,2,3\n', "after.csv, line 4: 3 fields"),
    "twice.csv": ("q,a,q\n1,2,3\n", "twice.csv, line 1: the column 'q' is there twice"),
    "open.csv": ('q,a\n1,2\n"1,2\n3,4\n', "open.csv, line 3: cannot be read as a row .unexpected end"),
    "quote.tsv": ('q\ta\n"Hello" she said\t5\n', "quote.tsv, line 2: cannot be read as a row .* quotes .* doubled"),
    "more.tsv": ("q\ta\n1\t2\t3\n", r"more.tsv, line 2: 3 fields .* Put a field with a tab in it into quotes"),
    "more.csv.gz": ("q,a\n1,2,3\n", "more.csv.gz, line 2: 3 fields"),
    "nan.jsonl": ('{"a": 1}\n{"a": NaN}', "nan.jsonl, line 2: not valid JSON .NaN is no JSON; write null"),
    "twice.jsonl": ('{"a": 1, "a": 2}', "twice.jsonl, line 1: not valid JSON .the key 'a' is there twice"),
    "more.jsonl": ('{"a": 1}\n{"a": 1} {"a": 2}', "more.jsonl, line 2: not valid JSON .Extra data at column 10"),
    "null.jsonl": ('{"a": 1}\nnull', "null.jsonl, line 2: a JSON object is needed, this is a NoneType"),
    "numbers.json": ("1.5\n2\n", "numbers.json, line 1: a JSON object is needed, this is a float"),
    "items.json": ('[{"a": 1},\n [2]]', "items.json, line 2: a JSON object is needed, this is a list"),
    "comma.json": ('[{"a": 1},\n]', "comma.json, line 2: not valid JSON .Expecting value at column 1"),
    "list.json": ('[{"a": 1}\n{"a": 2}]', "list.json, line 2: not valid JSON .the list should end here"),
    "tail.json": ('[{"a": 1}]\n{"a": 2}', "tail.json, line 1: not valid JSON .the list should end here"),
    "object.json": ('{\n"a": 1,\n"b": \n}', "object.json, line 4: not valid JSON"),
    "deep.jsonl": ('{"a": 1}\n{"a": ' + "[" * 2000 + "]" * 2000 + "}", "deep.jsonl, line 2: .* nested too deep"),
    "deep.json": ('[{"a": 1},\n{"a": ' + '{"b":' * 2000 + "1" + "}" * 2001 + "]", "deep.json, line 2: .* nested too"),
    "first.jsonl": ('{"a": ' + "[" * 2000 + "]" * 2000 + "}", "first.jsonl, line 1: .* nested too deep"),
    "less.jsonl": (
        '{"a": 1}\n{"a": ' + "[" * 150 + "]" * 150 + "}",
        "less.jsonl, line 2: 'a' is nested more than 100",
    ),
    "half.jsonl": (
        '{"a": "\\ud83d\\ude00"}\n{"a": ["\\uD83D"]}',
        r"half.jsonl, line 2: .ud83d is half of a character",
    ),
    "empty.json": ("[]", "empty.json, split 'train', has no rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_file_and_line(name, tmp_path):
    content, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        load(tmp_path, content, name)


def test_files_that_changed_are_read_again(tmp_path):
    assert load(tmp_path, '{"a": 1}')["a"] == ["1"]
    assert load(tmp_path, '{"a": 12}')["a"] == ["12"]
