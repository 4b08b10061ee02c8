"""Any data set through a mapping of columns, from files of each kind; what is refused with file, row or line."""

import gzip
import json
import warnings

import pytest
from datasets import Dataset, Features, Value

from ntl_hf.data import load_named, map_columns, read_targets

ROWS = [{"q": "1+1?", "a": "2", "n": 2, "price": "1.50"}, {"q": "100*10?", "a": "1,000", "n": 1000, "price": "007"}]
COLUMNS = {"prompt": "Question: {q}\nAnswer:", "completion": " {a}", "target": "a"}


def mapped(rows=ROWS, **columns):
    return list(map_columns(Dataset.from_list(rows), columns, "rows.csv"))


def test_names_and_texts():
    assert mapped(**COLUMNS) == [
        {"prompt": "Question: 1+1?\nAnswer:", "completion": " 2", "target": 2.0},
        {"prompt": "Question: 100*10?\nAnswer:", "completion": " 1,000", "target": 1000.0},
    ]
    assert mapped(text="{q} {n} {{x}}", target="n") == [
        {"text": "1+1? 2 {x}", "target": 2.0},
        {"text": "100*10? 1000 {x}", "target": 1000.0},
    ]
    assert mapped(prompt="q", completion="n")[1] == {"prompt": "100*10?", "completion": "1000"}
    # Typed, a target is the number itself, and only texts must be known as they were written.
    assert mapped([{"a": 2.5}], target="a") == [{"target": 2.5}]
    assert mapped(target="{a}")[1] == {"target": 1000.0}
    # A column may be called anything.
    assert mapped([{"{": "x"}], text="{") == [{"text": "x"}]


REFUSED = {
    "wrong column": (
        ROWS,
        {"prompt": "qq"},
        r"rows.csv has no column 'qq'\. Did you mean 'q'\? It has: q, a, n, price",
    ),
    "wrong column in a text": (ROWS, {"prompt": "{pric}"}, r"no column 'pric'. Did you mean 'price'"),
    "a place without a name": (ROWS, {"prompt": "{}"}, "no column ''"),
    "a format": (
        ROWS,
        {"prompt": "{n:.2f}"},
        "'prompt' is '{n:.2f}'; in braces there is a column's name, and no format",
    ),
    "floats in a text": (
        [{"a": 2}, {"a": 2.5}],
        {"completion": "{a}"},
        r"rows.csv: the column 'a' is of type float64; .* is not known \(2 or 2.0, 1.5 or 1.50\): make it a text",
    ),
    "truth values in a text": ([{"a": True}], {"text": "a"}, "the column 'a' is of type bool"),
    "an open brace": (ROWS, {"prompt": "{q"}, "'prompt' is '{q': .*Write {{ for a brace"),
    "unknown key": (ROWS, {"promt": "q"}, r"key 'promt'\. Did you mean 'prompt'\? Known are prompt, completion"),
    "no text": (ROWS, {"prompt": ["q"]}, r"'prompt' is \['q'\]; give a column's name"),
    "no number": ([*ROWS, {"a": "3-5"}], {"target": "a"}, "rows.csv, row 3: the target is '3-5'; a number is needed"),
    "not finite": ([{"a": 1.0}, {"a": float("nan")}], {"target": "a"}, "row 2: the target is 'nan'"),
    "true": ([{"a": True}], {"target": "a"}, "row 1: the target is 'True'"),
    "null target": ([{"a": 1}, {"a": None}], {"target": "a"}, r"row 2: 'a' is missing \(null\)"),
    "null text": (
        [{"a": "1"}, {"a": None}],
        {"prompt": "{a}"},
        r"rows.csv: 1 rows have no 'a' \(null\), the first of them row 2",
    ),
    "a list": ([{"a": ["1"]}], {"prompt": "a"}, "rows.csv: the column 'a' is of type list; strings are needed"),
}


@pytest.mark.parametrize("wide", [9007199254740993, "9,007,199,254,740,993"])
def test_a_target_that_float64_cannot_hold_is_told(wide):
    with pytest.warns(UserWarning, match="whole number beyond 2.53, of which float64 keeps about 16 digits"):
        assert mapped([{"a": wide}], target="a") == [{"target": 9007199254740992.0}]
    with pytest.warns(UserWarning, match="whole number beyond"):
        read_targets(Dataset.from_list([{"target": wide}]), "rows.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for exact in (9007199254740994, "1e300", 1e300, "0.1"):
            assert mapped([{"a": exact}], target="a") == [{"target": float(exact)}]


def test_targets_of_single_precision_are_the_decimals_that_were_meant():
    features = Features({"target": Value("float32")})
    dataset = Dataset.from_dict({"target": [0.1, 1234.5, 1e-7, 3.0]}, features=features)
    for read in (read_targets(dataset, "rows"), map_columns(dataset, {"target": "target"}, "rows")):
        assert read["target"] == [0.1, 1234.5, 1e-7, 3.0]


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    rows, columns, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        mapped(rows, **columns)


def write(folder, ending):
    """The rows in a file; its path."""
    # In the names of packed files, `datasets` takes brackets for an address.
    path = folder / (f"rows{ending}" if ending.endswith(".gz") else f"rows [1]*{ending}")
    kind = ending.removesuffix(".gz")
    if kind == ".parquet":
        Dataset.from_list(ROWS).to_parquet(path)
        return path
    separator = {".csv": ",", ".tsv": "\t"}.get(kind)
    if separator:
        lines = [separator.join(ROWS[0])]
        lines += [
            separator.join(f'"{value}"' if "," in str(value) else str(value) for value in r.values()) for r in ROWS
        ]
    else:
        lines = [json.dumps(ROWS)] if kind == ".json" else [json.dumps(row) for row in ROWS]
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data) if ending.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".csv.gz", ".jsonl.gz"])
def test_files(tmp_path, ending):
    dataset = load_named(str(write(tmp_path, ending)), None, "any split")
    # CSV has no types: nothing is made of 1.50 and 007.
    assert dataset["price"] == ["1.50", "007"]
    assert list(map_columns(dataset, COLUMNS, "rows")) == mapped(**COLUMNS)


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_folders(tmp_path, ending):
    folder = tmp_path / "set"
    folder.mkdir()
    for split in ("train", "test"):
        write(tmp_path, ending).rename(folder / f"{split}{ending}")
    assert load_named(str(folder), None, "test")["price"] == ["1.50", "007"]
    with pytest.raises(ValueError, match=r"""set: Unknown split "dev"\. Should be one of \['train', 'test'\]"""):
        load_named(str(folder), None, "dev")


BROKEN = {
    "rows.jsonl": ('{"q": 1}\n{"q": \n', "rows.jsonl, line 2: not valid JSON"),
    "list.jsonl": ('{"q": 1}\n[3]\n', "list.jsonl, line 2: a JSON object is needed"),
    "long.csv": ("q,a\n1,2\n3,4,5\n", r"long.csv, line 3: 3 fields for 2 columns \(q, a\): '3,4,5'. Put a field"),
    "bytes.csv": (b"q,a\n\xff,2\n", "bytes.csv, line 2: not UTF-8"),
    "bytes.parquet": (b"PAR1garbage", "bytes.parquet cannot be read: "),
    "cut.json": ('[{"q": 1}, {"q', "cut.json, line 1: not valid JSON"),
    "cut.jsonl.gz": (gzip.compress(b'{"q": 1}\n')[:-6], r"cut.jsonl.gz, line 2: the gzip file is broken"),
    "no.csv.gz": (b"q,a\n", "no.csv.gz, line 1: the gzip file is broken"),
    "empty.csv": ("", "empty.csv is empty"),
    "head.csv": ("q,a\n", "head.csv, split 'train', has no rows"),
    "lines.jsonl": ("\n", "lines.jsonl, split 'train', has no rows"),
    "rows.txt": ("1", "rows.txt is none of the kinds of file that can be read: .csv"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(tmp_path, name):
    content, message = BROKEN[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        load_named(str(tmp_path / name), None, "train")


def test_empty_fields_are_nulls(tmp_path):
    (tmp_path / "rows.csv").write_text("q,a\n1,NA\n2,\n")
    dataset = load_named(str(tmp_path / "rows.csv"), None, "train")
    assert dataset["a"] == ["NA", None]
    with pytest.raises(ValueError, match="1 rows have no 'a'"):
        map_columns(dataset, {"prompt": "a"}, "rows.csv")


def test_a_missing_file():
    with pytest.raises(FileNotFoundError, match=r"There is no file nowhere/rows\.csv"):
        load_named("nowhere/rows.csv", None, "train")
