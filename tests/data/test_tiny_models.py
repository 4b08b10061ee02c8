"""The models of `ntl_hf.runs.tiny_models`: every token of the tasks they are for is known, digits stand alone."""

from pathlib import Path

import pytest
import yaml
from transformers import AutoConfig, AutoTokenizer

from ntl_hf.cli.main import main
from ntl_hf.data import (
    make_arithmetic,
    make_calculations,
    make_ratings,
    make_readings,
)
from ntl_hf.runs import sft, train
from ntl_hf.runs.data import load_data
from ntl_hf.runs.model_names import FOLDERS, check_model_name, command
from ntl_hf.runs.tiny_models import main as make_model
from ntl_hf.settings.recipes import RecipeParser
from ntl_hf.tokens.number_vocab import NumberVocab

ROOT = Path(__file__).parents[2]
ARITHMETIC = [make_arithmetic(split, 3, 1000, "small") for split in ("train", "interpolate", "extrapolate")]
OTHERS = [
    make(split, 3, 1000) for make in (make_calculations, make_readings, make_ratings) for split in ("train", "test")
]
ROWS = {"t5": ARITHMETIC, "decoder": ARITHMETIC + OTHERS}
RECIPES = sorted((ROOT / "recipes" / "tiny-decoder").glob("[!c]*.yaml"))
T5_RECIPES = sorted(
    path
    for path in (ROOT / "recipes" / "t5-tiny").glob("*.yaml")
    if "arithmetic" not in path.stem and not path.stem.startswith("compare")
)
# The recipes cut there.
MAX_LENGTH = 64


@pytest.fixture(scope="module", params=ROWS)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    make_model([request.param, str(folder)])
    return request.param, AutoTokenizer.from_pretrained(folder), AutoConfig.from_pretrained(folder)


def test_texts_are_read_without_loss(model):
    name, tokenizer, config = model
    assert config.vocab_size == len(tokenizer) and config.eos_token_id == tokenizer.eos_token_id
    for rows in ROWS[name]:
        texts = [row["prompt"] + row["completion"] for row in rows]
        for text, ids in zip(texts, tokenizer(texts, add_special_tokens=False)["input_ids"], strict=True):
            assert tokenizer.unk_token_id not in ids and len(ids) < MAX_LENGTH
            assert tokenizer.decode(ids) == text
            # No word is spelt.
            assert len(ids) <= len(text.split()) + sum(not letter.isalpha() for letter in text)


def test_every_digit_is_a_number_token(model):
    _, tokenizer, _ = model
    vocab = NumberVocab.from_tokenizer(tokenizer)
    assert sorted(vocab.values.tolist()) == list(range(10))


def test_without_a_folder_it_says_what_it_is_for(capsys):
    with pytest.raises(SystemExit):
        make_model(["decoder"])
    assert "FOLDER" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        make_model(["--help"])
    printed = capsys.readouterr().out
    assert all(command(name) in printed for name in FOLDERS)


TINY = [path for folder in ("tiny-decoder", "t5-tiny") for path in sorted((ROOT / "recipes" / folder).glob("*.yaml"))]


@pytest.mark.parametrize("path", TINY, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recipe_names_the_command_that_makes_its_model(path):
    text = path.read_text(encoding="utf-8")
    settings = yaml.safe_load(text)
    if "recipe" in settings:
        settings = yaml.safe_load((ROOT / "recipes" / f"{settings['recipe']}.yaml").read_text(encoding="utf-8"))
    (name,) = (name for name, folder in FOLDERS.items() if folder == settings["model_name_or_path"])
    assert f"`{command(name)}`" in text


@pytest.mark.parametrize(
    "words",
    [
        ["sft", "--config", "tiny-decoder/readings"],
        ["train", "--config", "t5-tiny/rt"],
        [
            "evaluate",
            "--config",
            "t5-tiny/rt",
            "--model_name_or_path",
            "models/t5-tiny-ratings",
            "--output_dir",
            "out",
        ],
        ["compare", "--config", "tiny-decoder/compare-losses-readings", "--jobs", "1"],
    ],
    ids=lambda words: words[0],
)
def test_without_its_model_a_recipe_says_how_it_is_made(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--debug"]) == 2
    error = capsys.readouterr().err
    made_by = command("t5-ratings" if "t5" in words[2] else "decoder")
    assert f": there is no folder '{made_by.split()[-1]}'. It is made by: {made_by}\n" in error
    assert error.count("there is no folder") == 1 and "huggingface" not in error


@pytest.mark.parametrize("name", ["./model", "../model", "~/model", "a/b/c", "a/b/", "models/mine"])
def test_what_can_only_be_a_folder_is_not_looked_for_on_the_hub(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"there is no folder '{name}'"):
        check_model_name(name)


def test_what_the_hub_may_have_is_looked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    check_model_name("gpt2")
    assert main(["train", "--config", "t5-tiny/rt", "--debug", "--model_name_or_path", "mine/model"]) == 2
    error = capsys.readouterr().err
    assert "mine/model cannot be loaded. There is no such folder here; from the hub: " in error


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("model", ["decoder"], indirect=True)
def test_a_recipe_trains_the_tiny_decoder_on_answers_alone(model, path, tmp_path):
    _, tokenizer, config = model
    words = ["--model_name_or_path", config.name_or_path, "--output_dir", str(tmp_path), "--max_train_samples", "40"]
    arguments = RecipeParser(sft.ARGUMENT_CLASSES).parse(["--config", str(path), *words, "--max_steps", "2"])
    trainer = sft.build_trainer(*arguments)
    rows = load_data(arguments[0], evaluates=False)[0]
    for row, given in zip(trainer.train_dataset, rows, strict=True):
        batch = trainer.data_collator([row])
        labels = batch["labels"][0]
        assert tokenizer.decode(labels[labels != -100]) == f"{given['completion']}</s>"
    before = trainer.model.lm_head.weight.detach().clone()
    assert trainer.train().global_step == 2
    assert (trainer.model.lm_head.weight - before).abs().max() > 0


@pytest.fixture(scope="module")
def t5_for_ratings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t5-ratings")
    make_model(["t5-ratings", str(folder)])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [row["prompt"] + row["completion"] for row in OTHERS[-1]]
    assert all(tokenizer.unk_token_id not in ids for ids in tokenizer(texts)["input_ids"])
    return folder


@pytest.mark.parametrize("path", T5_RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains_the_tiny_t5_on_ratings(t5_for_ratings, path, tmp_path):
    """As any of the systems that it is compared as."""
    words = ["--model_name_or_path", str(t5_for_ratings), "--output_dir", str(tmp_path), "--max_train_samples", "40"]
    arguments = RecipeParser(train.ARGUMENT_CLASSES).parse(["--config", str(path), *words, "--max_steps", "2"])
    assert train.build_trainer(*arguments).train().global_step == 2
