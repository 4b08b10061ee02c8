"""Folders: the README is followed, and no file of a split is left out without a word."""

import json

import pytest
from datasets import Dataset

from ntl_hf.data import load_named


def write(folder, **files):
    """Files by name, `__` for a dot, `___` for a slash; their one row says which file it is of. The folder's name."""
    for name, content in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        row = {"a": path.relative_to(folder).as_posix()}
        if path.suffix == ".parquet":
            Dataset.from_list([row]).to_parquet(path)
        else:
            path.write_text(content or (f"a\n{row['a']}\n" if path.suffix == ".csv" else json.dumps(row)))
    return str(folder)


def readme(folder, configs):
    (folder / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n")


def test_the_configurations_of_the_readme_are_followed(tmp_path):
    name = write(tmp_path / "set", x__csv="", train__csv="")
    readme(
        tmp_path / "set",
        [{"config_name": "A", "data_files": "x.csv"}, {"config_name": "B", "data_files": "train.csv"}],
    )
    assert load_named(name, "A", "train")["a"] == ["x.csv"] and load_named(name, "B", "train")["a"] == ["train.csv"]
    for config, message in (("Z", r"'Z' not found. Available: \['A', 'B'\]"), (None, "Config name is missing")):
        with pytest.raises(ValueError, match=message):
            load_named(name, config, "train")
    readme(tmp_path / "set", [{"config_name": "A", "data_files": [{"split": "train", "path": "x.csv"}]}])
    assert load_named(name, None, "train")["a"] == ["x.csv"]
    readme(tmp_path / "set", [{"config_name": "A", "data_files": [{"split": "test", "path": "x.csv"}]}])
    content = (tmp_path / "set/README.md").read_text().replace("---\n", "")
    (tmp_path / "set/.huggingface.yaml").write_text(content)
    (tmp_path / "set/README.md").unlink()
    with pytest.raises(ValueError, match=r"""Unknown split "train". Should be one of \['test'\]"""):
        load_named(name, None, "train")


def test_a_configuration_that_a_folder_or_file_has_not(tmp_path):
    name = write(tmp_path / "set", train__csv="")
    with pytest.raises(ValueError, match="'Z' not found"):
        load_named(name, "Z", "train")
    with pytest.raises(ValueError, match="is a file, and has no configuration 'Z': leave `dataset_config` out"):
        load_named(f"{name}/train.csv", "Z", "train")


LEFT_OUT = [
    ("train-1__csv", "train-2__jsonl"),
    ("train__csv", "train__jsonl"),
    ("train__parquet", "train-x__csv"),
    ("train__csv", "train___a__csv"),
    ("train__csv", "train-00001__csv"),
    ("x__csv", "y__jsonl"),
    ("data___train__csv", "data___train-2__parquet"),
]


@pytest.mark.parametrize("files", LEFT_OUT, ids="+".join)
def test_files_of_a_split_are_never_left_out(files, tmp_path):
    name = write(tmp_path / "set", **dict.fromkeys(files, ""))
    with pytest.raises(
        ValueError, match=r"split 'train': the files .* are not read together .*`dataset_name`"
    ) as error:
        load_named(name, None, "train")
    for file in files:
        assert file.replace("___", "/").replace("__", ".") in str(error.value)


def test_files_of_other_splits_and_of_one_kind(tmp_path):
    name = write(
        tmp_path / "set", train__csv="", test__jsonl="", math__csv="", eval___a__csv="", dataset_info__json="{}"
    )
    assert load_named(name, None, "math")["a"] == ["math.csv"] and load_named(name, None, "train")["a"] == [
        "train.csv"
    ]
    name = write(tmp_path / "x", **{"train-1__csv": "", "train-2__csv": ""})
    assert load_named(name, None, "train")["a"] == ["train-1.csv", "train-2.csv"]


@pytest.mark.parametrize("files", [["train__csv"], ["train-1__csv", "train-2__csv"]])
def test_options_of_the_readme(files, tmp_path):
    name = write(tmp_path / "set", **dict.fromkeys(files, "a;b\n1.50;2\n"))
    for option in ("sep", "delimiter"):
        readme(tmp_path / "set", [{"config_name": "default", option: ";"}])
        assert list(load_named(name, None, "train")) == [{"a": "1.50", "b": "2"}] * len(files)
    for option in ({"names": ["a"]}, {"sep": "\\s+"}, {"encoding": "latin-1"}):
        readme(tmp_path / "set", [{"config_name": "default", **option}])
        with pytest.raises(ValueError, match=f"README sets `{next(iter(option))}`, which is not followed"):
            load_named(name, None, "train")


def test_tabs_are_those_of_the_kind(tmp_path):
    name = write(
        tmp_path / "set",
        **{"train-1__tsv": "a\tb\n1\t2\n", "train-2__tsv": "a\tb\n1\t2\n", "train-3__csv": "a,b\n1,2\n"},
    )
    assert list(load_named(name, None, "train")) == [{"a": "1", "b": "2"}] * 3


def test_a_folder_that_is_not_there():
    with pytest.raises(FileNotFoundError, match="There is no folder d/none here, and from the hub: "):
        load_named("d/none", None, "train")


def test_parquet_that_is_broken_or_has_no_rows(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.parquet").write_bytes(b"PAR1garbage")
    with pytest.raises(ValueError, match=r"train\.parquet cannot be read: "):
        load_named(str(folder), None, "train")
    Dataset.from_dict({"a": []}).to_parquet(folder / "train.parquet")
    for name in (folder, folder / "train.parquet"):
        with pytest.raises(ValueError, match="split 'train', has no rows"):
            load_named(str(name), None, "train")


def test_a_folder_with_a_pattern_in_its_name(tmp_path):
    name = write(tmp_path / "set [1]", train__csv="", test__csv="")
    assert load_named(name, None, "train")["a"] == ["train.csv"]
    write(tmp_path / "set [1]", **{"train-2__csv": ""})
    with pytest.raises(ValueError, match=r"train-2\.csv, train\.csv are not read together"):
        load_named(name, None, "train")
    with pytest.raises(ValueError, match=r"finds no files where a folder's name has one of .*; rename it"):
        load_named(write(tmp_path / "more [1]", data___train__csv=""), None, "train")
    name = write(tmp_path / "inner", **{"data [1]___train__csv": ""})
    assert load_named(name, None, "train")["a"] == ["data [1]/train.csv"]
