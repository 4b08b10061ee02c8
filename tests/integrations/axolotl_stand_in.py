"""What Axolotl 0.19.0 has of base classes for plugins and trainers, in as much as the plugin meets it."""

import json
import math
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from transformers import Trainer, TrainingArguments


class BasePlugin:
    """The hooks that `NTLPlugin` overrides, as they are without it, and the others' names."""

    def register(self, cfg): ...

    def get_input_args(self): ...

    def pre_model_load(self, cfg): ...

    def get_trainer_cls(self, cfg): ...

    def post_trainer_create(self, cfg, trainer): ...

    def post_train(self, cfg, model): ...


class PluginManager:
    """One for the process, with the plugins of all configurations so far; the first trainer class is taken."""

    _instance = None

    def __init__(self):
        self.plugins = OrderedDict()

    @classmethod
    def get_instance(cls):
        cls._instance = cls._instance or cls()
        return cls._instance

    def pre_model_load(self, cfg):
        for plugin in self.plugins.values():
            plugin.pre_model_load(cfg)

    def get_trainer_cls(self, cfg):
        return next((found for each in self.plugins.values() if (found := each.get_trainer_cls(cfg))), None)

    def post_trainer_create(self, cfg, trainer):
        for plugin in self.plugins.values():
            plugin.post_trainer_create(cfg, trainer)


class Cfg(dict):
    """Axolotl's configuration: keys are attributes, None where there are none."""

    def __getattr__(self, name):
        return self.get(name)


@dataclass
class AxolotlTrainingArguments(TrainingArguments):
    include_tkps: bool = True


class AxolotlTrainer(Trainer):
    """What its overrides do to a subclass: the flag, the counts, the extra keys of the log and the early files."""

    def __init__(self, *args: Any, eval_data_collator=None, dataset_tags=None, **kwargs: Any):
        self.eval_data_collator, self.dataset_tags = eval_data_collator, dataset_tags
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = False
        self.trainable_tokens = 0

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if model.training:
            self.trainable_tokens += int((inputs["labels"] != -100).sum())
        return super().compute_loss(
            model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch
        )

    def log(self, logs, start_time=None):
        if "loss" in logs:
            logs["ppl"] = math.exp(logs["loss"])
        return super().log(logs, start_time)

    def _save_checkpoint(self, model, trial, **kwargs):
        folder = Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}"
        folder.mkdir(parents=True, exist_ok=True)
        if self.args.include_tkps:
            (folder / "tokens_state.json").write_text(json.dumps({"trainable": self.trainable_tokens}))
        return super()._save_checkpoint(model, trial, **kwargs)


MODULES: dict[str, dict[str, Any]] = {
    "axolotl": {},
    "axolotl.core": {},
    "axolotl.core.trainers": {"AxolotlTrainer": AxolotlTrainer},
    "axolotl.core.trainers.constants": {"TOKENS_STATE_FILE": "tokens_state.json"},
    "axolotl.integrations": {},
    "axolotl.integrations.base": {"BasePlugin": BasePlugin, "PluginManager": PluginManager},
}


def install(monkeypatch: Any) -> None:
    """Put the stand-in in Axolotl's place for one test, and have the plugin's modules imported with it."""
    for name in list(sys.modules):
        if name.split(".")[0] == "axolotl" or name.startswith("ntl_hf.integrations.axolotl"):
            monkeypatch.delitem(sys.modules, name)
    for name, content in MODULES.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(PluginManager, "_instance", None)
