"""Hints at the name that was perhaps meant, errors made into one line, and the one reader of recipes."""

import os
from pathlib import Path
from typing import Any

import pytest

from ntl_hf.settings.checks import check_choice, check_number
from ntl_hf.settings.errors import UsageError, as_usage_error, did_you_mean, suggest
from ntl_hf.settings.recipe_files import split_flags
from ntl_hf.settings.recipe_reader import read_recipe


@pytest.mark.parametrize(
    ("name", "settings", "hint"),
    [
        ("max_step", {}, " Did you mean 'max_steps'?"),
        ("MAX_STEPS", {}, " Did you mean 'max_steps'?"),
        ("nll", {}, " Did you mean 'NLL'?"),
        ("xyz", {}, ""),
        (None, {}, ""),
        ("max_step", {"n": 2}, " Did you mean 'max_steps' or 'max_stop'?"),
        ("stripes", {}, ""),
        ("stripes", {"cutoff": 0.4}, " Did you mean 'max_steps'?"),
    ],
)
def test_the_nearest_name(name: Any, settings: dict[str, Any], hint: str) -> None:
    assert did_you_mean(name, ("max_steps", "max_stop", "NLL"), **settings) == hint


def test_no_names_are_no_hint() -> None:
    assert suggest(()) == did_you_mean("a", ()) == ""


def test_pages_become_one_line_and_other_errors_stay() -> None:
    with pytest.raises(UsageError, match=r"^a b c$"), as_usage_error(ValueError, OSError):
        raise OSError("a\n  b\n\nc")
    with pytest.raises(KeyError), as_usage_error(ValueError):
        raise KeyError("a")


def test_a_choice_and_a_number_are_refused_alike() -> None:
    with pytest.raises(ValueError, match=r"^`risk` is 'men'; it must be one of: mean, mode\. Did you mean 'mean'\?$"):
        check_choice("risk", "men", ("mean", "mode"))
    with pytest.raises(ValueError, match=r"^`p` is 0\.5; it must be a finite number, 1 or more\.$"):
        check_number("p", 0.5, minimum=1)


def test_flags_are_split_from_their_values() -> None:
    words = ["sft", "--config=a=b.yaml", "--debug", "x=1", "--columns={'a': 'b=c'}"]
    assert split_flags(words) == ["sft", "--config", "a=b.yaml", "--debug", "x=1", "--columns", "{'a': 'b=c'}"]
    assert split_flags(split_flags(words)) == split_flags(words)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "is not valid YAML"),
        (b"\xff\xfe\x00a", "is in UTF-16, not in UTF-8; save it"),
        (b"- a", "must hold keys and values"),
        (b"", "must hold keys and values"),
    ],
)
def test_a_file_that_is_no_recipe(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["wandb_api_key: abc: d123secret", 'hub_token: "hf_abcdefgh123secret', "a: [secret", "\tsecret: 1"]
)
def test_the_error_of_a_broken_recipe_says_where_and_shows_no_secret(line: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"max_steps: 3\n{line}\n")
    with pytest.raises(UsageError, match=r"recipe\.yaml is not valid YAML, line [23], column \d+: ") as caught:
        read_recipe(path)
    assert "secret" not in str(caught.value)


def test_blanks_of_a_path_stay_and_lines_become_one() -> None:
    with pytest.raises(UsageError, match=r"^cannot make a  b/c: no space\.$"), as_usage_error(OSError):
        raise OSError("cannot make a  b/c:\n   no space.\n")


def test_no_name_is_suggested_for_what_is_none() -> None:
    with pytest.raises(ValueError, match=r"^`risk` is None; it must be one of: zero_one\.$"):
        check_choice("risk", None, ["zero_one"])


def test_a_recipe_that_comes_through_a_pipe_is_read_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"max_steps: 3\n")
    os.close(writer)
    assert read_recipe(f"/dev/fd/{reader}") == {"max_steps": 3}
    os.close(reader)
