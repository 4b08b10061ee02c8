"""The files that docs/integrations/llama-factory-ms-swift.md tells to save, on stand-ins for the two frameworks."""

import sys
from abc import ABC
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from transformers import AutoModelForCausalLM

from ntl_hf import NTLConfig

from ..build import parameters, relative_difference
from ..docs.blocks import blocks_of
from ..tiny import char_tokenizer, tiny_model, twin
from .stock import ntl_trainer, stock_trainer

PAGE = "docs/integrations/llama-factory-ms-swift.md"
SCRIPT, PLUGIN = [block.text for block in blocks_of(PAGE) if block.language == "python"]
CONFIG = NTLConfig(weight=0.3)  # that of the page


def put(monkeypatch, name, **content):
    """A module, and the packages that it is in."""
    while name:
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
        name, content = name.rpartition(".")[0], {}


def expected(model, folder):
    trainer = ntl_trainer(twin(model), folder, CONFIG)
    trainer.train()
    return parameters(trainer.model)


def test_the_script_for_llama_factory_trains_with_the_number_loss(tmp_path, monkeypatch):
    model = tiny_model()
    model.save_pretrained(tmp_path / "model")
    char_tokenizer().save_pretrained(tmp_path / "model")
    settings = {"model_name_or_path": str(tmp_path / "model"), "stage": "sft"}
    (tmp_path / "sft.yaml").write_text(yaml.safe_dump(settings))
    trained = []

    def run_exp(args=None, callbacks=None):
        assert args == settings
        loaded = AutoModelForCausalLM.from_pretrained(args["model_name_or_path"])
        trainer = stock_trainer(loaded, tmp_path, {"callbacks": callbacks})
        trainer.train()
        trained.append(trainer.model)

    put(monkeypatch, "llamafactory.train.tuner", run_exp=run_exp)
    monkeypatch.setattr(sys, "argv", ["train_ntl.py", str(tmp_path / "sft.yaml")])
    exec(SCRIPT, {"__name__": "__main__"})
    assert relative_difference(parameters(trained[0]), expected(model, tmp_path)) < 1e-6


class BaseLoss(ABC):  # noqa: B024 - as in ms-swift, where the call is abstract
    """That of ms-swift is made with the arguments and the trainer, before the latter is initialised."""

    def __init__(self, args, trainer):
        self.args, self.trainer = args, trainer


@pytest.fixture
def registered(monkeypatch):
    """What the plugin has registered: the loss and the callback, made as ms-swift makes them."""
    losses, callbacks = {}, {}
    put(monkeypatch, "swift.callbacks", callbacks_map=callbacks)
    put(monkeypatch, "swift.loss", BaseLoss=BaseLoss, loss_map=losses)
    exec(PLUGIN, {"__name__": "ntl_plugin"})
    trainer = SimpleNamespace(template=SimpleNamespace(tokenizer=char_tokenizer()))
    return losses["ntl"](None, trainer), callbacks["ntl"](None, trainer)


def test_the_plugin_for_ms_swift_trains_with_the_number_loss(registered, tmp_path):
    loss, callback = registered

    def compute(outputs, labels, num_items_in_batch=None):
        return loss(outputs, labels, num_items_in_batch=num_items_in_batch, loss_scale=None, trainer=None)

    model = tiny_model()
    trainer = stock_trainer(twin(model), tmp_path, {"compute_loss_func": compute, "callbacks": [callback]})
    trainer.train()
    assert relative_difference(parameters(trainer.model), expected(model, tmp_path)) < 1e-6


def test_weights_of_tokens_are_refused(registered):
    with pytest.raises(ValueError, match="--loss_scale"):
        registered[0](None, None, num_items_in_batch=1, loss_scale=object(), trainer=None)
