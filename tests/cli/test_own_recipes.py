"""Recipes by name: listed, copied, and read by every command that takes `--config`, from an empty folder."""

from pathlib import Path

import pytest
import yaml

from ntl_hf.cli.launch import find_config
from ntl_hf.cli.main import main, with_recipe_path
from ntl_hf.compare.plan import read_plan
from ntl_hf.settings.recipe_files import (
    FOLDER,
    command_of,
    find_recipe,
    hardware_of,
    recipe_names,
)
from tests.tiny import char_tokenizer, tiny_model

ROOT = Path(__file__).parents[2]
NAME = "smollm2-135m/gsm8k-lora"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save_model(folder, architecture):
    tiny_model(architecture).save_pretrained(folder)
    char_tokenizer().save_pretrained(folder)


def test_all_are_listed_with_command_and_hardware(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    wanted = {f"{path.parent.name}/{path.stem}" for path in (ROOT / "recipes").glob("*/*.yaml")}
    assert {line.split()[0] for line in lines} == {name for name in wanted if not name.startswith("accelerate/")}
    assert f"{NAME} sft two CPU cores, 4 GB of memory" in [" ".join(line.split()) for line in lines]


def test_every_recipe_says_its_command_and_its_hardware():
    for name in recipe_names():
        path = find_recipe(name)
        command = "compare" if path.stem.startswith("compare-") else command_of(path)
        assert command_of(path) == command in ("sft", "train", "compare") and hardware_of(path)


def test_a_copy_is_the_recipe_and_says_how_it_is_run(capsys):
    assert main(["recipes", "copy", NAME, "mine/my recipe.yaml"]) == 0
    assert "ntl-hf sft --config 'mine/my recipe.yaml'" in capsys.readouterr().out
    copied, own = Path("mine/my recipe.yaml").read_text(), find_recipe(NAME).read_text()
    assert yaml.safe_load(copied) == yaml.safe_load(own)
    assert [line for line in copied.splitlines() if line not in own.splitlines()] == [
        "# Command: ntl-hf sft --config 'mine/my recipe.yaml'"
    ]


def test_a_configuration_of_accelerate_is_copied_too(capsys):
    assert main(["recipes", "copy", "accelerate/zero3", "zero3.yaml"]) == 0
    assert "--accelerate_config zero3.yaml" in capsys.readouterr().out
    assert Path("zero3.yaml").read_bytes() == (FOLDER / "accelerate" / "zero3.yaml").read_bytes()


@pytest.mark.parametrize("target", ["mine.yaml", "folder"])
def test_a_copy_overwrites_nothing(target, capsys):
    Path("mine.yaml").write_text("mine")
    Path("folder").mkdir()
    assert main(["recipes", "copy", NAME, target]) == 2
    assert f"error: {target} is there already" in capsys.readouterr().err
    assert Path("mine.yaml").read_text() == "mine" and not list(Path("folder").iterdir())


def test_a_copy_that_cannot_be_written_is_one_line(capsys):
    Path("file").write_text("")
    assert main(["recipes", "copy", NAME, "file/mine.yaml"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("smolm2-135m/gsm8k-lora", NAME),
        (f"recipes/{NAME}.yaml", NAME),
        ("gsm8k-qlora", "granite-3.2-2b/gsm8k-qlora"),
        ("llama-3.2-1b", "llama-3.2-1b/gsm8k-lora"),
    ],
)
@pytest.mark.parametrize("words", [["sft", "--config"], ["evaluate", "--config"], ["recipes", "copy"]], ids=" ".join)
def test_a_misspelled_name_gets_the_nearest_ones(words, name, near, capsys):
    assert main([*words, name, *(["mine.yaml"] if words[0] == "recipes" else [])]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"'{near}'" in error and "`ntl-hf recipes` lists them" in error


def test_an_unknown_name_is_an_error_before_anything_is_made(capsys):
    assert main(["compare", "--config", "zzz/zzz", "--debug"]) == 2
    assert "zzz/zzz: no such file, and no recipe of that name." in capsys.readouterr().err
    assert not list(Path().iterdir())


def test_a_file_counts_more_than_a_name():
    own = find_recipe(NAME)
    assert own.is_relative_to(FOLDER) and find_recipe(f"{NAME}.yaml") == own
    Path(NAME).mkdir(parents=True)
    assert find_recipe(NAME) == own  # a folder is no recipe
    assert with_recipe_path(["--seed", "1", f"--config={NAME}"]) == ["--seed", "1", "--config", str(own)]
    assert with_recipe_path(["--output_dir=-x", "--config", NAME]) == ["--output_dir=-x", "--config", str(own)]
    Path(f"{NAME}.yaml").write_text("output_dir: mine")
    assert find_recipe(f"{NAME}.yaml") == Path(f"{NAME}.yaml") == find_recipe(NAME)
    Path("without.yaml").write_text("")
    assert find_recipe("without") == Path("without.yaml")


def test_a_file_counts_more_than_a_name_in_a_comparison_and_for_processes_too():
    plan = yaml.safe_load(find_recipe("t5-tiny/compare-arithmetic").read_text())
    Path("compare.yaml").write_text(yaml.safe_dump(plan))
    assert read_plan("compare.yaml").recipe == find_recipe(plan["recipe"])
    Path("t5-tiny").mkdir()
    Path(f"{plan['recipe']}.yaml").write_text("output_dir: mine")
    assert read_plan("compare.yaml").recipe == Path(f"{plan['recipe']}.yaml")
    assert find_config("zero3") == find_config("zero3.yaml") == FOLDER / "accelerate" / "zero3.yaml"
    Path("zero3.yaml").write_text("")
    assert find_config("zero3") == find_config("zero3.yaml") == Path("zero3.yaml")


@pytest.mark.parametrize("name", ["accelerate/zero3", "recipes/accelerate/zero3.yaml", "zero3"])
def test_a_configuration_of_accelerate_as_a_recipe_is_told_its_option(name, capsys):
    assert main(["sft", "--config", name]) == 2
    assert capsys.readouterr().err == (
        f"ntl-hf: error: {name} is no recipe, but how to start it: add `--accelerate_config zero3` to a recipe.\n"
    )


@pytest.mark.parametrize("words", [[], [NAME]])
def test_a_copy_without_its_arguments_shows_how_it_is_called(words, capsys):
    assert main(["recipes", "copy", *words]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("ntl-hf: error: the following arguments are required: ")
    assert error.endswith("; usage: ntl-hf recipes copy [-h] NAME FILE")


@pytest.mark.parametrize("name", [NAME, "accelerate/zero3"])
def test_a_copy_to_a_dash_is_printed(name, capsys):
    assert main(["recipes", "copy", name, "-"]) == 0
    assert capsys.readouterr().out == (FOLDER / f"{name}.yaml").read_text() and not list(Path().iterdir())


@pytest.mark.parametrize(
    ("command", "name", "own"),
    [
        ("sft", "t5-tiny/compare-arithmetic", "compare"),
        ("evaluate", "t5-tiny/compare-arithmetic", "compare"),
        ("compare", "tiny-decoder/readings", "sft"),
        ("sft", "t5-tiny/arithmetic", "train"),
    ],
)
def test_a_recipe_of_another_command_is_named_as_such(command, name, own, capsys):
    save_model("models/t5-tiny", "t5")
    assert main([command, "--config", name]) == 2
    error = capsys.readouterr().err
    assert f"ntl-hf {own}" in error and str(FOLDER) not in error


def test_an_error_of_a_recipe_calls_it_by_its_name(capsys):
    assert main(["train", "--config", "t5-tiny/arithmetic", "--no_such_option", "1"]) == 2
    assert "is a recipe for" not in capsys.readouterr().err


def test_a_recipe_trains_and_its_model_is_evaluated():
    save_model("models/t5-tiny", "t5")
    words = ["--config", "t5-tiny/arithmetic", "--debug"]
    assert main(["train", *words, "--output_dir", "out"]) == 0
    assert main(["evaluate", *words, "--model_name_or_path", "out", "--output_dir", "scores"]) == 0


def test_a_comparison_finds_its_recipe(capsys):
    words = ["--config", "t5-tiny/compare-arithmetic", "--only", "nobody"]
    assert main(["compare", *words]) == 2
    assert "--only nobody: there is no such variant" in capsys.readouterr().err
