"""`NTLPlugin`: the number loss in Axolotl, by a line under `plugins` and the `ntl_` settings in its YAML."""

import os
from typing import Any

from axolotl.integrations.base import BasePlugin, PluginManager

from .axolotl_args import NTLArgs, config_of


class NTLPlugin(BasePlugin):
    """Trains with CE + weight * NTL where Axolotl would train with cross entropy.

    Axolotl's YAML names it under `plugins`, as `ntl_hf.integrations.axolotl.NTLPlugin`, and has the settings of
    `NTLConfig` as `ntl_weight`, `ntl_loss`, ... beside it.
    """

    def get_input_args(self) -> str:
        """Name of the class with the settings, for Axolotl to merge into its own."""
        return f"{NTLArgs.__module__}.{NTLArgs.__name__}"

    def pre_model_load(self, cfg: Any) -> None:
        """Raise `ValueError` where another plugin brings a trainer: Axolotl would take the first, without a word."""
        if not self._is_named(cfg):
            return
        plugins = PluginManager.get_instance().plugins
        for name in cfg.plugins:
            other = plugins.get(name)
            if other is not None and other is not self and other.get_trainer_cls(cfg) is not None:
                raise ValueError(f"{name} and NTLPlugin each bring a trainer, and one can be used. Remove one.")

    def get_trainer_cls(self, cfg: Any) -> type | None:
        """Axolotl's trainer with the number loss and the settings of `cfg`."""
        if not self._is_named(cfg):
            return None
        # Here, because Axolotl's trainers import its plugins.
        from .axolotl_trainer import trainer_class

        return trainer_class(config_of(cfg))

    def post_trainer_create(self, cfg: Any, trainer: Any) -> None:
        """Raise `ValueError` if Axolotl has made another trainer, which would train without the number loss."""
        if not self._is_named(cfg):
            return
        from .axolotl_trainer import NTLAxolotlTrainer

        if not isinstance(trainer, NTLAxolotlTrainer):
            raise ValueError(
                f"Axolotl trains this configuration with {type(trainer).__name__}, without the number loss. Remove "
                "NTLPlugin, or the setting that asks for this trainer."
            )

    def post_train(self, cfg: Any, model: Any) -> None:
        """Save the settings beside the weights, which Axolotl writes without the trainer."""
        if self._is_named(cfg) and os.environ.get("RANK", "0") == "0":
            config_of(cfg).save(cfg.output_dir)

    def _is_named(self, cfg: Any) -> bool:
        # Axolotl keeps the plugins of earlier configurations of the same process, and calls them.
        plugins = PluginManager.get_instance().plugins
        return any(plugins.get(name) is self for name in cfg.plugins or [])
