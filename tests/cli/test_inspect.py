"""`ntl-hf inspect`: what it prints, where, and its exit codes."""

from pathlib import Path
from typing import Any

import pytest
import transformers

from ntl_hf.cli.main import main

from ..downloads import GGUF_FILE, llama3_folder
from ..tiny import CHARACTERS, char_tokenizer, tiny_model


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    char_tokenizer([*CHARACTERS, "12", "345", " 5", "[7]", "[red]8", "٣", "½", "1e3", "\n9"]).save_pretrained(tmp_path)
    return tmp_path


def inspect(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, str, str]:
    code = main(["inspect", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def row(output: str, first: str) -> list[str]:
    """The cells of the table row that starts with `first`."""
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in output.splitlines() if "│" in line]
    (found,) = [line for line in cells if line[0] == first]
    return found


def test_numbers_and_what_was_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = inspect(capsys, folder)
    ids = char_tokenizer([*CHARACTERS, "12", "345", " 5"]).get_vocab()
    assert (code, errors) == (0, "")
    assert "11 number tokens" in output
    assert row(output, "4") == ["4", "4", str(ids["4"])]
    assert row(output, "5") == ["5", "5  ␣5", f"{ids['5']}  {ids[' 5']}"]
    assert row(output, "several digits (needs --multi_digit)")[1:] == ["2", "12  345"]
    assert row(output, "mixed with other characters")[1:] == ["2", r"[7]  \n9"]
    assert row(output, "mixed with letters")[1:] == ["1", "[red]8"]
    assert row(output, "digit of another script")[1:] == ["1", "٣"]
    assert row(output, "exponent")[1:] == ["1", "1e3"]


def test_how_numbers_are_cut(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = inspect(capsys, folder)
    assert "'1234'  1  2  3  4\n" in output
    assert "' 1234.5'  ␣  1  2  3  4  .  5\n" in output


def test_several_digits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = inspect(capsys, folder, "--multi_digit")
    assert code == 0
    assert "13 number tokens" in output and "several digits" not in output
    assert row(output, "345")[1] == "345"


def test_a_large_vocabulary_is_summarised_by_length(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = inspect(capsys, llama3_folder(), "--multi_digit", "--show", 2)
    assert (code, errors) == (0, "")
    assert "1,110 number tokens" in output
    assert row(output, "1") == ["1", "10", "0 to 9", "0 (15)  1 (16)  ..."]
    assert row(output, "2") == ["2", "100", "0 to 99", "00 (410)  01 (1721)  ..."]
    assert row(output, "3")[:3] == ["3", "1,000", "0 to 999"]
    assert row(output, "digit of another script")[1] == "88"


@pytest.mark.parametrize(("show", "examples"), [(1, "12  ..."), (2, "12  345"), (3, "12  345")])
def test_show_limits_examples(folder: Path, show: int, examples: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = inspect(capsys, folder, "--show", show)
    assert row(output, "several digits (needs --multi_digit)")[2] == examples
    assert row(output, "5")[1] == ("5  ..." if show == 1 else "5  ␣5")


@pytest.mark.parametrize(
    ("difference", "message"),
    [
        (7, "logits, 7 more than the tokenizer has tokens (padded; fine)"),
        (0, "logits, as many as the tokenizer has tokens"),
        (-3, "logits, 3 fewer than the tokenizer has tokens: resize the model"),
        (None, "number of logits unknown"),
    ],
)
def test_width_of_the_models_logits(
    folder: Path, difference: int | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    size = len(transformers.AutoTokenizer.from_pretrained(folder))
    if difference is not None:
        tiny_model(vocab_size=size + difference).config.save_pretrained(folder)
    _, output, _ = inspect(capsys, folder)
    assert f"{size} tokens" in output
    assert message in output


def test_a_gguf_file_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # Reading a real one takes seconds; that transformers can is its own concern.
    asked = []

    def load(path: str, **kwargs: Any) -> Any:
        asked.append((path, kwargs))
        return char_tokenizer()

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", load)
    code, output, _ = inspect(capsys, "some/model", "--gguf_file", GGUF_FILE)
    assert code == 0 and "10 number tokens" in output
    assert asked == [("some/model", {"gguf_file": GGUF_FILE})]


def test_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    char_tokenizer("abc ½").save_pretrained(tmp_path)
    code, output, errors = inspect(capsys, tmp_path)
    assert code == 1
    assert "0 number tokens" in output
    assert row(output, "superscript, fraction or other numeral")[1:] == ["1", "½"]
    assert errors.startswith("ntl-hf: error: ") and "add_digit_tokens" in errors
    assert errors.count("\n") == 1


def test_missing_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    char_tokenizer("01234 abc").save_pretrained(tmp_path)
    code, _, errors = inspect(capsys, tmp_path)
    assert code == 0
    assert errors.startswith("ntl-hf: warning: ") and "[5, 6, 7, 8, 9]" in errors


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("missing/folder/here", "there is no folder '"),
        ("file/tokenizer.json", "is a file; give its folder: `ntl-hf inspect "),
        ("file/model.gguf", "--gguf_file model.gguf`"),
        ("empty", "cannot load a tokenizer from '"),
        ("broken", "cannot load a tokenizer from '"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(
    where: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("empty", "broken", "file"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "tokenizer.json").write_text('{"model": ')
    (tmp_path / "file" / "tokenizer.json").touch()
    (tmp_path / "file" / "model.gguf").touch()
    code, output, errors = inspect(capsys, tmp_path / where)
    assert (code, output) == (2, "")
    assert errors.startswith("ntl-hf: error: ") and message in errors
    assert errors.count("\n") == 1


def test_a_hub_id_that_cannot_be_reached_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = inspect(capsys, "no-such-user/no-such-model")
    assert (code, output) == (2, "")
    assert errors.startswith("ntl-hf: error: cannot load a tokenizer from 'no-such-user/no-such-model': ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("words", [["x", "--show", "0"], ["x", "--show", "many"], [], ["x", "--unknown"]])
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = inspect(capsys, *words)
    assert (code, output) == (2, "")
    assert errors.startswith("ntl-hf: error: ") and errors.count("\n") == 1
