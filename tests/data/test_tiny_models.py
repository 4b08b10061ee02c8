"""The models that `examples/tiny_*.py` write: every token of the tasks they are for is known, digits stand alone."""

import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoTokenizer

from ntl_hf.cli.recipes import RecipeParser
from ntl_hf.data import make_arithmetic, make_calculations, make_ratings, make_readings
from ntl_hf.number_vocab import NumberVocab
from ntl_hf.scripts import sft, train

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ARITHMETIC = [make_arithmetic(split, 3, 1000, "small") for split in ("train", "interpolate", "extrapolate")]
OTHERS = [
    make(split, 3, 1000) for make in (make_calculations, make_readings, make_ratings) for split in ("train", "test")
]
ROWS = {"tiny_t5": ARITHMETIC, "tiny_decoder": ARITHMETIC + OTHERS}
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
    subprocess.run([sys.executable, EXAMPLES / f"{request.param}.py", folder], check=True, timeout=120)
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


def test_without_a_folder_it_says_what_it_is_for(model):
    run = subprocess.run([sys.executable, EXAMPLES / f"{model[0]}.py"], capture_output=True, text=True, timeout=120)
    assert run.returncode == 1 and f"python examples/{model[0]}.py models/" in run.stderr


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("model", ["tiny_decoder"], indirect=True)
def test_a_recipe_trains_the_tiny_decoder_on_answers_alone(model, path, tmp_path):
    _, tokenizer, config = model
    words = ["--model_name_or_path", config.name_or_path, "--output_dir", str(tmp_path), "--max_train_samples", "40"]
    arguments = RecipeParser(sft.ARGUMENT_CLASSES).parse(["--config", str(path), *words, "--max_steps", "2"])
    trainer = sft.build_trainer(*arguments)
    rows = sft.load_data(arguments[0], evaluates=False)[0]
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
    subprocess.run([sys.executable, EXAMPLES / "tiny_t5.py", folder, "ratings"], check=True, timeout=120)
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
