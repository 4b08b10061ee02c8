"""The Axolotl plugin and its trainer on base classes like those that Axolotl publishes."""

import importlib
import json
import sys
from dataclasses import fields

import pytest
import torch

from ntl_hf import NTLConfig, NTLTrainer
from ntl_hf.trainers.checkpoints import checkpoint_problem

from ..build import first_step, make_trainer, parameters, relative_difference
from ..tiny import tiny_model, twin
from . import axolotl_stand_in as stand_in

pydantic = pytest.importorskip("pydantic", reason="Axolotl reads its configuration with pydantic")

NAME = "ntl_hf.integrations.axolotl.NTLPlugin"


@pytest.fixture
def axolotl(monkeypatch):
    """The plugin's module, on the stand-in."""
    stand_in.install(monkeypatch)
    module = importlib.import_module("ntl_hf.integrations.axolotl")
    yield module
    # Imported with the stand-in, and of no use without it.
    for name in [name for name in sys.modules if name.startswith("ntl_hf.integrations.axolotl")]:
        del sys.modules[name]


@pytest.fixture
def plugin(axolotl):
    return add(axolotl.NTLPlugin(), NAME)


def add(plugin, name):
    stand_in.PluginManager.get_instance().plugins[name] = plugin
    return plugin


def cfg_of(**settings):
    return stand_in.Cfg(plugins=[NAME], **settings)


def read_settings(plugin, data):
    """As Axolotl does: the classes of all plugins merged into one, and what was not given left out."""
    module, _, name = plugin.get_input_args().rpartition(".")
    arguments = getattr(importlib.import_module(module), name)

    class Schema(pydantic.BaseModel):
        base_model: str
        plugins: list[str] | None = None
        rl: str | None = None

    merged = type("Merged", (Schema, arguments), {})
    return stand_in.Cfg(merged(**{"base_model": "tiny", "plugins": [NAME], **data}).model_dump(exclude_none=True))


# ---- The settings ----


def test_every_setting_is_there_with_its_help(plugin):
    module, _, name = plugin.get_input_args().rpartition(".")
    found = {key: each.description for key, each in getattr(sys.modules[module], name).model_fields.items()}
    assert found == {f"ntl_{each.name}": each.metadata["help"] for each in fields(NTLConfig)}


SETTINGS = [
    ({}, NTLConfig()),
    ({"ntl_weight": 0}, NTLConfig(weight=0)),
    ({"ntl_loss": [{"crps": 0.5}, "number:0.1"]}, NTLConfig(loss="crps:0.5+number:0.1")),
    ({"ntl_loss": {"was": 0.2, "number": 0.1}}, NTLConfig(loss="was:0.2+number:0.1")),
    ({"ntl_loss": "raft", "ntl_raft_grid": [1, 2, 3]}, NTLConfig(loss="raft", raft_grid=[1, 2, 3])),
    ({"ntl_digits_only": False, "ntl_squash_factor": 2}, NTLConfig(digits_only=False, squash_factor=2)),
]


@pytest.mark.parametrize("data, expected", SETTINGS, ids=lambda each: "" if isinstance(each, NTLConfig) else str(each))
def test_settings_arrive_in_the_trainer(plugin, data, expected):
    cfg = read_settings(plugin, data)
    assert plugin.get_trainer_cls(cfg).ntl_settings == expected


REFUSED = [
    ({"ntl_wieght": 0.3}, "Did you mean 'ntl_weight'"),
    ({"ntl_weight": -1}, "`ntl_weight` is -1"),
    ({"ntl_weight": True}, "valid number"),
    ({"ntl_loss": "wass"}, "Did you mean 'was'"),
    ({"ntl_squash_factor": 2, "ntl_loss": "mse"}, "ntl_squash_factor"),
    ({"rl": "dpo"}, "`rl` does not go with NTLPlugin: it trains with a loss of its own"),
    ({"trainer_cls": "a.B"}, "`trainer_cls`"),
    ({"liger_fused_linear_cross_entropy": True}, "without logits"),
    ({"plugins": [NAME, "axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin"]}, "`cut_cross_entropy`"),
    ({"context_parallel_size": 2}, "split over processes"),
]


@pytest.mark.parametrize("data, message", REFUSED, ids=lambda each: each if isinstance(each, str) else "")
def test_it_refuses_at_validation(plugin, data, message):
    with pytest.raises(pydantic.ValidationError) as error:
        read_settings(plugin, data)
    assert error.value.error_count() == 1 and message in str(error.value)


def test_what_does_not_split_or_replace_anything_is_accepted(plugin):
    plugins = [NAME, "axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin"]
    data = {"context_parallel_size": 1, "cut_cross_entropy": False, "plugins": plugins, "reward_model": None}
    assert read_settings(plugin, data).plugins == plugins


# ---- The plugin ----


def test_configurations_that_do_not_name_it_are_left_alone(axolotl, plugin, tmp_path):
    cfg = stand_in.Cfg(plugins=["another.Plugin"], output_dir=str(tmp_path))
    assert plugin.get_trainer_cls(cfg) is None and plugin.get_trainer_cls(stand_in.Cfg()) is None
    plugin.pre_model_load(cfg)
    plugin.post_trainer_create(cfg, object())
    plugin.post_train(cfg, None)
    assert not list(tmp_path.iterdir())


def test_two_plugins_with_trainers_are_refused(plugin):
    class Other(stand_in.BasePlugin):
        def get_trainer_cls(self, cfg):
            return stand_in.AxolotlTrainer if cfg.other else None

    add(Other(), "other.Plugin")
    cfg = stand_in.Cfg(plugins=["other.Plugin", NAME])
    stand_in.PluginManager.get_instance().pre_model_load(cfg)
    with pytest.raises(ValueError, match=r"other\.Plugin and NTLPlugin each bring a trainer"):
        stand_in.PluginManager.get_instance().pre_model_load(stand_in.Cfg(cfg, other=True))


def test_another_trainer_is_refused_before_training(plugin):
    with pytest.raises(ValueError, match="with object, without the number loss"):
        plugin.post_trainer_create(cfg_of(), object())


def test_the_settings_are_saved_beside_the_weights(plugin, tmp_path, monkeypatch):
    cfg = cfg_of(ntl_weight=0.5, output_dir=str(tmp_path))
    monkeypatch.setenv("RANK", "1")
    plugin.post_train(cfg, None)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("RANK", "0")
    plugin.post_train(cfg, None)
    assert NTLConfig.load(tmp_path) == NTLConfig(weight=0.5)


# ---- The trainer ----


def make(trainer_class, model, folder, **arguments):
    return make_trainer(trainer_class, model, folder, args_class=stand_in.AxolotlTrainingArguments, **arguments)


def through_plugin(plugin, model, folder, settings=None, **arguments):
    """A trainer made as Axolotl makes it."""
    manager, cfg = stand_in.PluginManager.get_instance(), cfg_of(**(settings or {}))
    manager.pre_model_load(cfg)
    trainer = make(manager.get_trainer_cls(cfg), model, folder, **arguments)
    manager.post_trainer_create(cfg, trainer)
    return trainer


@pytest.mark.parametrize("batch, steps", [(8, 1), (2, 4)])
def test_a_step_is_that_of_the_number_loss_trainer(plugin, tmp_path, batch, steps):
    model = tiny_model()
    expected, _ = first_step(make_trainer(NTLTrainer, twin(model), tmp_path))
    shape = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": steps}
    trainer = through_plugin(plugin, twin(model), tmp_path, **shape)
    found, batches = first_step(trainer)
    assert relative_difference(found, expected) < 1e-5
    # And AxolotlTrainer has seen the batches first.
    assert trainer.trainable_tokens == sum(int((each["labels"] != -100).sum()) for each in batches) > 0


def test_weight_0_is_axolotls_own_training(plugin, tmp_path):
    model = tiny_model()
    stock = make(stand_in.AxolotlTrainer, twin(model), tmp_path, max_steps=3)
    stock.train()
    trainer = through_plugin(plugin, twin(model), tmp_path, {"ntl_weight": 0}, max_steps=3)
    trainer.train()
    assert relative_difference(parameters(trainer.model), parameters(stock.model)) < 1e-6
    losses = [[row["loss"] for row in each.state.log_history if "loss" in row] for each in (stock, trainer)]
    torch.testing.assert_close(*map(torch.tensor, losses))


def test_the_log_has_the_components_and_axolotls_keys(plugin, tmp_path):
    trainer = through_plugin(plugin, tiny_model(), tmp_path, {"ntl_weight": 0.5, "ntl_loss": "mae"})
    trainer.train()
    row, metrics = trainer.state.log_history[0], trainer.evaluate()
    assert row["loss"] == pytest.approx(row["ce_loss"] + 0.5 * row["ntl_loss"], rel=1e-5)
    assert {"number_mass", "number_mae", "number_token_fraction", "ntl_weight", "ppl"} <= row.keys()
    assert {"eval_loss", "eval_ntl_loss", "eval_number_mae"} <= metrics.keys()


def test_checkpoints_are_whole_and_keep_axolotls_file(plugin, tmp_path):
    settings = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1}
    model = tiny_model()
    trainer = through_plugin(plugin, twin(model), tmp_path, **settings)
    trainer.train()
    first = tmp_path / "checkpoint-1"
    assert checkpoint_problem(first) is None and NTLConfig.load(first) == NTLConfig()
    assert json.loads((first / "tokens_state.json").read_text())["trainable"] > 0
    resumed = through_plugin(plugin, twin(model), tmp_path, **settings)
    resumed.train(resume_from_checkpoint=str(first))
    assert relative_difference(parameters(resumed.model), parameters(trainer.model)) < 1e-6
