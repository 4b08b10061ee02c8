"""rJokes from its tab-separated files, packed or not, and what is refused with file and line."""

import gzip

import pytest

from ntl_hf.data import load_rjokes

LINES = "0\tWhy?\n11\tA tab\tin a joke, and 2 numbers\n3\tWhat is 1+1?\n"


def write(folder, text, name="train.tsv"):
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


@pytest.mark.parametrize("name", ["dev.tsv", "dev.tsv.gz"])
def test_text_to_score(tmp_path, name):
    rows = load_rjokes(write(tmp_path, LINES, name), "dev")
    assert rows[1] == {
        "prompt": "Question: A tab\tin a joke, and 2 numbers\nAnswer:",
        "completion": " 11",
        "target": 11.0,
    }
    assert rows["target"] == [0, 11, 3] and rows.features["target"].dtype == "float64"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("5 no tab", "no tab; a line is score, tab and text. This is: '5 no tab'"),
        ("", "no tab"),
        ("5\t ", "no text after the score"),
        ("many\tA joke", "the answer is 'many'; a number is needed"),
        ("1-2\tA joke", "the answer is '1-2'; a number is needed"),
        ("12\tA joke", "the score is 12; it must be a whole number from 0 to 11"),
        ("2.5\tA joke", "the score is 2.5"),
        ("5.0\tA joke", "the score is 5.0; it must be a whole number"),
        ("5%\tA joke", "the score is 5%"),
        ("-1\tA joke", "the score is -1"),
        (b"1\t\xff", "not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["train.tsv", "train.tsv.gz"])
def test_a_bad_line_is_named(tmp_path, line, message, name):
    line = line if isinstance(line, bytes) else line.encode()
    folder = write(tmp_path, b"1\tone\n" + line + b"\n2\ttwo\n", name)
    with pytest.raises(ValueError) as error:
        load_rjokes(folder)
    assert f"{name}, line 2: {message}" in str(error.value)


def test_files_that_are_broken_empty_or_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"needs .*train.tsv or train.tsv.gz; found: \['dev.tsv'\]"):
        load_rjokes(write(tmp_path, LINES, "dev.tsv"))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_rjokes(tmp_path / "nowhere")
    (tmp_path / "train.tsv.gz").write_bytes(gzip.compress(LINES.encode())[:-6])
    with pytest.raises(ValueError, match=r"train.tsv.gz, line [0-9]: the gzip file is broken"):
        load_rjokes(tmp_path)
    with pytest.raises(ValueError, match=r"test\.tsv has no rows"):
        load_rjokes(write(tmp_path, "", "test.tsv"), "test")
    with pytest.raises(ValueError, match="splits train, dev, test, not 'validation'"):
        load_rjokes(tmp_path, "validation")
