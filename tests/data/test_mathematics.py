"""DeepMind Mathematics from a folder: splits, modules, limits, and what is refused with file and line."""

import itertools

import pytest

from ntl_hf.data import PAPER_EXTRAPOLATION_MODULES, PAPER_MODULES, load_mathematics

MODULES = ("algebra__linear_1d", "arithmetic__add_sub_multiple", "arithmetic__mul")
LEVELS = ("train-easy", "train-medium", "train-hard", "interpolate", "extrapolate")


@pytest.fixture
def folder(tmp_path):
    """Three questions in each file, which say where they come from."""
    for level, module in itertools.product(LEVELS, MODULES):
        (tmp_path / "set" / level).mkdir(parents=True, exist_ok=True)
        lines = [line for i in range(3) for line in (f"What is {level} {module} {i}?", str(i))]
        (tmp_path / "set" / level / f"{module}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "set"


def sources(dataset):
    """(level, module, number) of each row."""
    return [tuple(prompt.removeprefix("Question: What is ").split("?")[0].split()) for prompt in dataset["prompt"]]


def test_prompt_and_completion(folder):
    row = load_mathematics(folder, "interpolate", ["arithmetic__mul"])[1]
    assert row == {
        "prompt": "Question: What is interpolate arithmetic__mul 1?\nAnswer:",
        "completion": " 1",
        "target": 1.0,
    }


@pytest.mark.parametrize(
    ("split", "levels"),
    [("train", LEVELS[:3]), ("interpolate", LEVELS[3:4]), ("test", LEVELS[3:4]), ("extrapolate", LEVELS[4:])],
)
def test_splits_take_all_modules_of_their_folders(folder, split, levels):
    found = sources(load_mathematics(folder, split))
    assert sorted(found) == sorted(itertools.product(levels, MODULES, "012"))
    # Files take turns, so that the first rows are a sample of all.
    assert set(found[: len(levels) * 3]) == set(itertools.product(levels, MODULES, "0"))


def test_modules_and_limits(folder):
    found = sources(load_mathematics(str(folder), "train", MODULES[1:], max_rows_per_file=2))
    assert sorted(found) == sorted(itertools.product(LEVELS[:3], MODULES[1:], "01"))
    assert len(load_mathematics(folder, "train", max_rows_per_file=100)) == 27


def test_files_of_different_lengths(folder):
    (folder / "interpolate" / "arithmetic__mul.txt").write_text("a\n1\n")
    numbers = [row["completion"] for row in load_mathematics(folder, "interpolate")]
    assert numbers == [" 0", " 0", " 1", " 1", " 1", " 2", " 2"]


def test_changed_files_are_read_again(folder):
    assert len(load_mathematics(folder, "extrapolate")) == 9
    (folder / "extrapolate" / "arithmetic__mul.txt").write_text("a\n1\n")
    assert len(load_mathematics(folder, "extrapolate")) == 7


def test_no_more_is_read_than_asked_for(folder):
    """What is behind the limit goes unseen, be it broken or 16 GiB long."""
    path = folder / "interpolate" / "arithmetic__mul.txt"
    path.write_text("a\n1\nb\n2\n\n\n")
    with path.open("r+b") as file:
        file.truncate(2**34)
    assert len(load_mathematics(folder, "interpolate", ["arithmetic__mul"], max_rows_per_file=2)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n1\nb\n", "line 3: the file ends with a question that has no answer"),
        ("a\n1\n\n2\n", "line 3: an empty line"),
        ("a\n1\nb\n  \n", "line 4: an empty line"),
        ("a\n1\n\n", "line 3: the file ends"),
        (b"a\n\xff\n", r"line 2: not UTF-8 \(invalid start byte\)"),
    ],
)
def test_a_bad_line_is_named(folder, text, message):
    path = folder / "interpolate" / "arithmetic__mul.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"arithmetic__mul.txt, {message}"):
        load_mathematics(folder, "interpolate")


def test_an_empty_file(folder):
    (folder / "interpolate" / "arithmetic__mul.txt").write_text("")
    with pytest.raises(ValueError, match=r"arithmetic__mul.txt is empty"):
        load_mathematics(folder, "interpolate")


def test_modules_that_are_not_there(folder):
    with pytest.raises(
        ValueError, match=r"train-easy has no module 'arithmetic__mull'\. Did you mean 'arithmetic__mul'"
    ):
        load_mathematics(folder, "train", ["arithmetic__mull"])
    (folder / "train-hard" / "arithmetic__mul.txt").unlink()
    with pytest.raises(
        ValueError, match=r"train-hard has no module 'arithmetic__mul'\. .* It has: algebra__linear_1d, "
    ):
        load_mathematics(folder, "train", ["arithmetic__mul"])


def test_folders_that_are_not_there(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_mathematics(tmp_path / "nowhere")
    for path in (folder / "extrapolate").iterdir():
        path.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"extrapolate with a text file a module; found: \['extrapolate', 'inter"
    ):
        load_mathematics(folder, "extrapolate")


def test_refused_arguments(folder):
    with pytest.raises(ValueError, match="train, interpolate, extrapolate, test, not 'validation'"):
        load_mathematics(folder, "validation")
    with pytest.raises(ValueError, match="`max_rows_per_file` must be 1 or more, not 0"):
        load_mathematics(folder, max_rows_per_file=0)
    with pytest.raises(ValueError, match="names no modules"):
        load_mathematics(folder, modules=[])
    with pytest.raises(ValueError, match="`max_rows` must be 1 or more, not 0"):
        load_mathematics(folder, max_rows=0)


def test_answers_that_are_not_numbers(folder):
    path = folder / "interpolate" / "arithmetic__mul.txt"
    path.write_text("a\n2*x\nb\n-3/4\nc\n1, 2\n")
    rows = load_mathematics(folder, "interpolate", ["arithmetic__mul"])
    assert rows["target"] == [None, -0.75, None] and rows.features["target"].dtype == "float64"
    with pytest.raises(ValueError, match=r"arithmetic__mul.txt, line 2: the answer is '2\*x'; a number is needed"):
        load_mathematics(folder, "interpolate", ["arithmetic__mul"], numbers_only=True)


def test_a_limit_over_all_files_reads_no_further(folder):
    whole = sources(load_mathematics(folder, "train"))
    path = folder / "train-hard" / "arithmetic__mul.txt"
    path.write_text(path.read_text() + "a question without an answer\n")
    for rows in (1, 10, 26):
        assert sources(load_mathematics(folder, "train", max_rows=rows)) == whole[:rows]


def test_streams_have_the_same_rows(folder):
    for limits in ({}, {"max_rows": 10}, {"max_rows_per_file": 1, "modules": MODULES[:2]}):
        stream = load_mathematics(folder, "train", streaming=True, **limits)
        rows = load_mathematics(folder, "train", **limits)
        assert list(stream) == list(rows) == list(stream)
        assert stream.features == rows.features


def test_streams_read_what_is_asked_for(folder):
    path = folder / "train-easy" / "algebra__linear_1d.txt"
    path.write_text("a\n1\nb\n")
    rows = iter(load_mathematics(folder, "train", streaming=True))
    assert [next(rows)["completion"] for _ in range(9)] == [" 1"] + [" 0"] * 8
    with pytest.raises(ValueError, match=r"algebra__linear_1d\.txt, line 3: the file ends"):
        next(rows)


def test_modules_of_the_paper(tmp_path):
    assert (len(set(PAPER_MODULES)), len(set(PAPER_EXTRAPOLATION_MODULES))) == (13, 7)
    for level, modules in zip(LEVELS, [PAPER_MODULES] * 4 + [PAPER_EXTRAPOLATION_MODULES], strict=True):
        (tmp_path / level).mkdir()
        for module in (*modules, "calculus__differentiate"):
            (tmp_path / level / f"{module}.txt").write_text(f"What is {level} {module} 0?\n0\n")
    for split, levels in (("train", LEVELS[:3]), ("interpolate", LEVELS[3:4])):
        found = sources(load_mathematics(tmp_path, split, ["paper"]))
        assert sorted(found) == sorted(itertools.product(levels, PAPER_MODULES, "0"))
    assert [module for _, module, _ in sources(load_mathematics(tmp_path, "extrapolate", ["paper"]))] == list(
        PAPER_EXTRAPOLATION_MODULES
    )
    both = load_mathematics(tmp_path, "interpolate", ["paper", "arithmetic__mul", "calculus__differentiate"])
    assert len(both) == 14
    with pytest.raises(ValueError, match=r"no module 'papr'\. Did you mean 'paper'"):
        load_mathematics(tmp_path, "train", ["papr"])
