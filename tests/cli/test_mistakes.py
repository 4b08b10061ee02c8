"""Mistakes of a new user, and files as other programs leave them: one line each, with the file and what to do."""

import gzip
import json
import re
from pathlib import Path

import pytest

from ntl_hf.cli.main import main
from ntl_hf.data.named import load_named
from tests.cli.runs import assert_one_line

ROWS = [{"prompt": f"{n}+1=", "completion": str(n + 1)} for n in range(4)]
JSON = "".join(json.dumps(row) + "\n" for row in ROWS)
CSV = "prompt,completion\n" + "".join(f"{row['prompt']},{row['completion']}\n" for row in ROWS)
UTF16 = "UTF-16, not in UTF-8; save it as UTF-8"

BAD_VALUES = {
    "learning_rate": ([1], r"is \[1\]; it must be a number"),
    "seed": (1.5, "is 1.5; it must be a whole number"),
    "max_steps": ("many", "is 'many'; it must be a whole number"),
    "model_name_or_path": (["a"], r"is \['a'\]; it must be a text"),
    "output_dir": (["a"], "it must be a text"),
    "data_path": ({"a": 1}, "it must be a text"),
    "run_name": (3, "it must be a text. Put it in quotes"),
    "report_to": ({"a": 1}, "it must be a text or a list"),
    "lora_target_modules": ({"a": 1}, "it must be a list"),
    "lora_modules_to_save": (3, "it must be a list"),
    "ntl_weight": ("high", "is 'high'; it must be a number"),
    "ntl_digits_only": ("perhaps", "it must be true or false"),
    "bf16": (2, "it must be true or false"),
    "gradient_checkpointing_kwargs": ("x", "it must be names and values"),
}


def _line_of(key, path):
    lines = Path(path).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.startswith(f"{key}:"))


@pytest.mark.parametrize("key", BAD_VALUES)
def test_a_value_of_another_type_is_refused_with_its_line(key, recipe, capsys):
    value, message = BAD_VALUES[key]
    path = recipe(**{key: value})
    line = _line_of(key, path)
    assert main(["sft", "--config", path]) == 2
    assert_one_line(capsys, rf"recipe\.yaml, line {line}: `{key}` .*{message}")


OUT_OF_RANGE = {
    "per_device_train_batch_size": 0,
    "gradient_accumulation_steps": 0,
    "max_length": -3,
    "lora_r": -1,
    "dataloader_num_workers": -1,
    "max_grad_norm": -1.0,
    "ntl_weight": -0.3,
    "ntl_loss": "was:1_0",
}


@pytest.mark.parametrize("key", OUT_OF_RANGE)
def test_a_value_out_of_its_range_is_refused_with_its_line(key, recipe, capsys):
    path = recipe(**{key: OUT_OF_RANGE[key]})
    line = _line_of(key, path)
    assert main(["sft", "--config", path]) == 2
    assert_one_line(capsys, rf"recipe\.yaml, line {line}: `{key}` is ")


def test_the_line_of_a_recipe_is_not_blamed_for_what_is_typed(recipe, capsys):
    assert main(["sft", "--config", recipe(max_length=8), "--max_length", "-3"]) == 2
    assert_one_line(capsys, r"^ntl-hf: error: `max_length` is -3; it must be 1 or more\.$")


NESTED = ", ".join(f"&{'abcdefghi'[i + 1]} [{', '.join(['*' + 'abcdefghi'[i]] * 9)}]" for i in range(8))
BAD_RECIPES = {
    "a key twice": (lambda text: text + "seed: 1\nseed: 2\n", r"line \d+, column 1: the key 'seed' is there twice"),
    "a weight of 400 digits": (lambda text: f"{text}ntl_weight: {'9' * 400}\n", "`ntl_weight` is 9+"),
    "a number of 5,000 digits": (lambda text: f"{text}seed: {'9' * 5000}\n", r"not valid YAML, line \d+, .*digits"),
    "no day of the calendar": (lambda text: f"{text}run_name: 2026-02-30\n", r"line \d+, .*day"),
    "deep": (lambda text: f"{text}env: {'[' * 3000}{']' * 3000}\n", "nested too deep"),
    "UTF-16": (lambda text: text.encode("utf-16"), UTF16),
    "Latin-1": (lambda text: f"{text}run_name: é\n".encode("latin-1"), "not UTF-8 .*; save the file as UTF-8"),
    "a text of 100 MB": (lambda text: f"{text}ntl_loss: '{'was+' * 25_000_000}was'\n", "larger than 1 MiB"),
    "a long sum": (lambda text: f"{text}ntl_loss: '{'was+' * 1_000}was'\n", "`ntl_loss` has 4,003 characters"),
    "lists that hold one another": (lambda text: f"{text}env: [&a [x, x], {NESTED}]\n", "`env` must hold names"),
    "a comparison": (lambda _: "command: sft\nrecipe: a\nvariants: {}\n", r"ntl-hf compare --config .*recipe\.yaml"),
    "of accelerate": (lambda _: "distributed_type: NO\n", r"--accelerate_config .*recipe\.yaml"),
}


@pytest.mark.parametrize("case", BAD_RECIPES)
def test_a_file_that_is_no_recipe_is_refused_with_one_line(case, recipe, capsys, tmp_path):
    change, message = BAD_RECIPES[case]
    content = change((tmp_path / recipe()).read_text())
    (tmp_path / "recipe.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["sft", "--config", str(tmp_path / "recipe.yaml")]) == 2
    assert_one_line(capsys, message)


def _deep(depth):
    return '{"prompt":"a","completion":' + "[" * depth + "]" * depth + "}\n"


BAD_DATA = {
    "UTF-16 CSV": ("a.csv", CSV.encode("utf-16"), f"a.csv, line 1: the file is in {UTF16}"),
    "UTF-16 JSON": ("a.jsonl", JSON.encode("utf-16"), f"a.jsonl, line 1: the file is in {UTF16}"),
    "Latin-1 CSV": ("a.csv", f"{CSV}é,3\n".encode("latin-1"), "a.csv, line 6: not UTF-8 .*; save the file as UTF-8"),
    "Latin-1 JSON": ("a.jsonl", JSON.encode() + b'{"prompt": "\xe9"}\n', "a.jsonl, line 5: not UTF-8"),
    "cut gzip": ("a.jsonl.gz", gzip.compress(JSON.encode())[:30], "a.jsonl.gz, line 1: the gzip file is broken"),
    "no gzip": ("a.jsonl.gz", JSON.encode(), "a.jsonl.gz, line 1: the gzip file is broken"),
    "empty gzip": ("a.csv.gz", b"", "a.csv.gz is empty"),
    "gzip of nothing": ("a.csv.gz", gzip.compress(b""), r"a\.csv\.gz.* has no rows"),
    "deep JSON": ("a.jsonl", (JSON + _deep(5000)).encode(), "a.jsonl, line 5: lists or objects are nested too deep"),
    "half a character": ("a.jsonl", JSON.encode() + b'{"prompt": "\\ud800"}\n', "a.jsonl, line 5: .* half of a char"),
    "5,000 digits": (
        "a.jsonl",
        JSON.encode() + b'{"a":[' + b"9" * 5000 + b"]}\n",
        "a.jsonl.*5000 digits",
    ),
    "names alone": ("a.csv", b"prompt,completion\n", r"a\.csv.* has no rows"),
    "another kind": ("a.xlsx", b"PK\x03\x04", "a.xlsx is none of the kinds of file"),
    "broken Parquet": ("a.parquet", b"PAR1", "a.parquet cannot be read"),
}


def _with_data(recipe, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return recipe(task=None, data_path=None, dataset_name=str(tmp_path / name))


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_cannot_be_read_are_refused_with_file_and_line(case, recipe, capsys, tmp_path):
    name, content, message = BAD_DATA[case]
    assert main(["sft", "--config", _with_data(recipe, tmp_path, name, content)]) == 2
    assert_one_line(capsys, message)
    assert not (tmp_path / "out").exists()


GOOD_DATA = {
    "an index without a name": ("a.csv", ",prompt,completion\n0,1+1=,2\n1,2+1=,3\n"),
    "blank lines first": ("a.csv", f"\n\n{CSV}"),
    "ends of old Macs": ("a.csv", CSV.replace("\n", "\r")),
    "ends of Windows": ("a.csv", CSV.replace("\n", "\r\n")),
    "JSON with ends of old Macs": ("a.jsonl", JSON.replace("\n", "\r")),
    "JSON with blank lines first": ("a.jsonl", f"\n\n{JSON}"),
    "a mark of the byte order": ("a.jsonl", f"\ufeff{JSON}"),
}


@pytest.mark.parametrize("case", GOOD_DATA)
def test_data_as_other_programs_write_them_are_read(case, recipe, tmp_path):
    name, content = GOOD_DATA[case]
    (tmp_path / name).write_bytes(content.encode())
    rows = load_named(str(tmp_path / name), None, "train")
    assert [row["completion"] for row in rows] == ["2", "3"] if "index" in case else ["1", "2", "3", "4"]


@pytest.mark.parametrize("weight", [0.3, 0.0])
def test_a_length_that_leaves_no_answer_is_named(weight, recipe, capsys, tmp_path):
    assert main(["sft", "--config", recipe(max_length=2, ntl_weight=weight)]) == 2
    assert_one_line(capsys, r"`max_length` is 2")


def test_what_a_command_needs(capsys):
    for command in ("sft", "train", "evaluate", "compare"):
        assert main([command]) == 2
        assert_one_line(capsys, rf"`ntl-hf {command}` needs .*--config")
    for words in (["inspect"], ["plot"], ["nothing"], []):
        assert main(words) == 2
        assert_one_line(capsys, "")


def test_a_command_spelled_wrong(capsys):
    assert main(["stf"]) == 2
    assert_one_line(capsys, "unknown command 'stf'. Did you mean 'sft'")


def test_a_recipe_of_one_run_is_no_comparison(recipe, capsys):
    assert main(["compare", "--config", recipe()]) == 2
    assert_one_line(capsys, r"ntl-hf sft --config .*recipe\.yaml")


def test_a_folder_beside_a_run_is_not_looked_for_on_the_hub(recipe, capsys, tmp_path, monkeypatch):
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "first" / "ntl_config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert main(["sft", "--config", recipe(model_name_or_path="runs/frist")]) == 2
    assert_one_line(capsys, "there is no folder 'runs/frist'. Did you mean 'runs/first'")


def test_a_tokenizer_without_digits_is_refused_before_the_rows_are_tokenized(recipe, capsys, tmp_path):
    path = tmp_path / "model" / "tokenizer.json"
    written = recipe()
    content = json.loads(path.read_text())
    vocab = content["model"]["vocab"]
    content["model"]["vocab"] = {f"x{token}" if token.isdigit() else token: i for token, i in vocab.items()}
    path.write_text(json.dumps(content))
    assert main(["sft", "--config", written]) == 2
    error = capsys.readouterr().err
    assert "has no number tokens" in error and "Tokenizing" not in error


def test_a_run_says_where_it_saved_and_what_comes_next(recipe, capsys, tmp_path):
    assert main(["sft", "--config", recipe()]) == 0
    said = capsys.readouterr().out.strip().splitlines()[-1]
    assert re.search(rf"Saved in {tmp_path}/out\. .*ntl-hf evaluate --model_name_or_path {tmp_path}/out ", said)
