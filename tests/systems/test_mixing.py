"""Models and tokens of different systems are told apart before anything is trained."""

import subprocess
import sys
import tomllib
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest
import torch
from peft import PromptTuningConfig, get_peft_model

from ntl_hf import NTLTrainer, NumberVocab
from ntl_hf.systems import registration
from ntl_hf.systems.regression_head import load_regression_head
from ntl_hf.systems.regression_transformer.model import load_regression_transformer
from ntl_hf.systems.regression_transformer.places import place_value_vocab
from ntl_hf.systems.regression_transformer.tokenizer import regression_transformer_tokenizer
from ntl_hf.systems.scaling import NumberScaling
from ntl_hf.systems.under_adapter import saved_system
from ntl_hf.systems.xval.model import load_xval
from ntl_hf.systems.xval.text import xval_tokenizer
from ntl_hf.tokens.placed_digits import NumberTokens, has_number_tokens
from ntl_hf.trainers import model_systems
from tests.build import make_trainer
from tests.tiny import char_tokenizer, tiny_model


@pytest.fixture
def folder(tmp_path):
    tiny_model("llama").save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def rt_tokenizer(places=(-1, 4)):
    return regression_transformer_tokenizer(char_tokenizer(), places)


def rt_model(folder, tokenizer):
    return load_regression_transformer(folder, NumberTokens.from_tokenizer(tokenizer), len(tokenizer))


def test_a_model_with_its_own_tokens_trains(folder, tmp_path):
    tokenizer = rt_tokenizer()
    make_trainer(NTLTrainer, rt_model(folder, tokenizer), tmp_path, tokenizer=tokenizer).train()


def test_a_plain_model_and_the_tokens_of_a_regression_transformer(tmp_path):
    """It would train, without the encodings that make it one."""
    tokenizer = rt_tokenizer()
    model = tiny_model("llama", vocab_size=len(tokenizer))
    with pytest.raises(ValueError, match="the model is a plain one"):
        make_trainer(NTLTrainer, model, tmp_path, tokenizer=tokenizer)


@pytest.mark.parametrize("tokenizer", [char_tokenizer(), rt_tokenizer((0, 4))], ids=["plain", "other places"])
def test_a_regression_transformer_and_other_tokens(tokenizer, folder, tmp_path):
    model = rt_model(folder, rt_tokenizer())
    with pytest.raises(ValueError, match="load the tokenizer that was saved with the model"):
        make_trainer(NTLTrainer, model, tmp_path, tokenizer=tokenizer)


def test_number_heads_are_not_trained_on_tokens(folder, tmp_path):
    tokenizer = char_tokenizer()
    models = (
        load_xval(folder, 5, len(tokenizer), NumberScaling()),
        load_regression_head(folder, tokenizer, NumberScaling()),
    )
    for model in models:
        with pytest.raises(ValueError, match="train it with `ntl_hf"):
            make_trainer(NTLTrainer, model, tmp_path)


_IN_ANOTHER_PROCESS = """
import sys
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from ntl_hf import NTLTrainer
from ntl_hf.settings.arguments import NTLTrainingArguments

head, plain, tokenizer, out = sys.argv[1:]
args = NTLTrainingArguments(out, report_to=[])
assert "ntl_hf.systems" not in sys.modules
for model, tokens in (
    (AutoModelForSequenceClassification.from_pretrained(head), head),
    (AutoModelForCausalLM.from_pretrained(plain), tokenizer),
):
    try:
        NTLTrainer(model, args, train_dataset=[], processing_class=AutoTokenizer.from_pretrained(tokens))
    except ValueError as error:
        print("refused:", error)
"""


@pytest.mark.slow
def test_systems_are_known_to_those_who_never_imported_them(folder, tmp_path):
    tokenizer = char_tokenizer()
    head = load_regression_head(folder, tokenizer, NumberScaling())
    head.save_pretrained(tmp_path / "head")
    tokenizer.save_pretrained(tmp_path / "head")
    xval_tokenizer(tokenizer).save_pretrained(tmp_path / "xval")
    names = (tmp_path / "head", folder, tmp_path / "xval", tmp_path / "out")
    command = [sys.executable, "-c", _IN_ANOTHER_PROCESS, *map(str, names)]
    output = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    assert "train it with `ntl_hf.systems.NumberHeadTrainer`" in output and "The tokenizer is xVal's" in output
    assert output.count("refused:") == 2


def test_the_installed_package_names_its_systems():
    """Without it, those who never import `ntl_hf.systems` would train what cannot be trained, after a warning."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    declared = project["entry-points"][model_systems.GROUP]
    installed = {each.name: each.value for each in entry_points(group=model_systems.GROUP)}
    assert declared.items() <= installed.items(), f"install {distribution('ntl-hf').name} again"
    assert all(each.load().is_system for each in entry_points(group=model_systems.GROUP))


@pytest.fixture
def registry(monkeypatch):
    """A fresh one."""
    monkeypatch.setattr(model_systems, "_registry", model_systems._Registry())
    return model_systems._registry


class Others:
    """Systems of another package, which claims all Llamas."""

    @staticmethod
    def is_system(config):
        return config.model_type == "llama"

    @staticmethod
    def check_model(model, tokenizer):
        raise ValueError("not with ours")

    @staticmethod
    def card_section(config):
        return ""


class Entry:
    """An entry point of another package."""

    module, value = "others.systems", "others.systems"

    def __init__(self, load):
        self.load = load


def test_a_package_that_is_not_installed_is_not_silent(registry, monkeypatch):
    """Whether or not other packages are."""
    monkeypatch.setattr(model_systems, "entry_points", lambda group: (Entry(lambda: Others),))
    monkeypatch.delitem(sys.modules, "ntl_hf.systems")
    with pytest.warns(UserWarning, match="Install ntl_hf"):
        assert model_systems.registered_systems() == (Others,)


def test_what_is_loaded_may_register_more(registry, monkeypatch):
    def load():
        model_systems.register_systems(lambda: registration)
        return Others

    monkeypatch.setattr(model_systems, "entry_points", lambda group: (Entry(load),))
    assert model_systems.registered_systems() == (Others, registration)
    model_systems.register_systems(lambda: Others)
    assert model_systems.registered_systems() == (Others, registration)


def test_a_package_that_cannot_be_loaded_is_left_out(registry, monkeypatch, tmp_path):
    def load():
        raise ModuleNotFoundError("No module named 'others'")

    monkeypatch.setattr(model_systems, "entry_points", lambda group: (Entry(load),))
    with pytest.warns(UserWarning, match=r"others\.systems .*cannot be loaded.*No module named"):
        make_trainer(NTLTrainer, tiny_model("llama"), tmp_path)


def test_systems_of_others_are_asked_too(registry, tmp_path):
    model_systems.register_systems(lambda: Others)
    assert model_systems.is_system(tiny_model("llama").config) and not model_systems.is_system(tiny_model("t5").config)
    with pytest.raises(ValueError, match="not with ours"):
        make_trainer(NTLTrainer, tiny_model("llama"), tmp_path)


def test_models_of_others_are_not_made_again_under_an_adapter(registry, tmp_path):
    model_systems.register_systems(lambda: Others)
    tiny_model("llama").config.save_pretrained(tmp_path)
    assert saved_system(str(tmp_path)) is None


def test_digits_are_worth_themselves_or_what_they_add_to_the_number():
    tokenizer = rt_tokenizer((-1, 2))
    plain, placed = NumberVocab.from_tokenizer(tokenizer), place_value_vocab(tokenizer)
    by_token = dict(zip(placed.tokens, placed.values.tolist(), strict=True))
    assert by_token["_3_2_"] == 300 and by_token["_3_0_"] == 3 and by_token["_3_-1_"] == pytest.approx(0.3)
    assert len(by_token) == 40 and placed.values.tolist() == sorted(placed.values.tolist())
    assert placed.ids.tolist() == tokenizer.convert_tokens_to_ids(list(placed.tokens))
    by_token = dict(zip(plain.tokens, plain.values.tolist(), strict=True))
    assert {by_token[f"_3_{place}_"] for place in range(-1, 3)} == {3.0} and by_token["3"] == 3
    # Soft targets of a digit go to digits at its own place.
    forms = dict(zip(plain.tokens, plain.forms.tolist(), strict=True))
    assert forms["_3_1_"] == forms["_4_1_"] != forms["_3_2_"] != forms["3"]
    with pytest.raises(ValueError, match="Set `ntl_squash_factor`"):
        place_value_vocab(rt_tokenizer((0, 6)))
    place_value_vocab(rt_tokenizer((0, 6)), squash_factor=9)


def test_prompt_tuning_would_leave_the_numbers_out(folder, tmp_path):
    tokenizer = rt_tokenizer()
    model = get_peft_model(
        rt_model(folder, tokenizer), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    )
    with pytest.raises(ValueError, match="use LoRA"):
        make_trainer(NTLTrainer, model, tmp_path, tokenizer=tokenizer)


def test_rows_of_a_padded_vocabulary_are_drawn_too(tmp_path):
    """They are often all zero, so that all digits would begin as the same token."""
    model, tokenizer = tiny_model("llama", vocab_size=200), rt_tokenizer()
    with torch.no_grad():
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            table.weight[len(char_tokenizer()) :] = 0
    model.save_pretrained(tmp_path)
    found = rt_model(str(tmp_path), tokenizer)
    for table in (found.get_input_embeddings(), found.get_output_embeddings()):
        new = table.weight[len(char_tokenizer()) : len(tokenizer)]
        assert len(new.unique(dim=0)) == len(new) and 0.1 < new.std() < 0.5
        assert table.weight[len(tokenizer) :].abs().sum() == 0


def test_a_processor_has_its_tokenizer():
    class Processor:
        tokenizer = rt_tokenizer()

    assert has_number_tokens(Processor()) and not has_number_tokens(char_tokenizer())
    assert NumberTokens.from_tokenizer(Processor()) == NumberTokens.from_tokenizer(Processor.tokenizer)
