"""`NTLPlugin`: the number loss in Axolotl, by a line under `plugins` and the `ntl_` settings in its YAML."""

import os
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args

from axolotl.integrations.base import BasePlugin, PluginManager
from pydantic import BaseModel, Field, Strict, create_model, model_validator

from ..settings.config import PREFIX, NTLConfig
from ..settings.errors import did_you_mean

_SETTINGS = {PREFIX + setting.name: setting for setting in fields(NTLConfig)}

_OTHER_LOSS = "trains with a loss of its own"
_OWN_CE = "would go unused: the cross entropy is made with the number loss, in one pass and without logits"
_CONFLICTS = {
    "rl": _OTHER_LOSS,
    "reward_model": _OTHER_LOSS,
    "process_reward_model": _OTHER_LOSS,
    "orpo_alpha": _OTHER_LOSS,
    "trainer_cls": "names a trainer, and the plugin brings one",
    "cut_cross_entropy": _OWN_CE,
    "chunked_cross_entropy": _OWN_CE,
    "liger_cross_entropy": _OWN_CE,
    "liger_fused_linear_cross_entropy": _OWN_CE,
}
_SPLITS_SEQUENCES = ("context_parallel_size", "sequence_parallel_degree")


class NTLPlugin(BasePlugin):
    """Trains with CE + weight * NTL where Axolotl would train with cross entropy.

    Axolotl's YAML names it under `plugins`, as `ntl_hf.integrations.axolotl.NTLPlugin`, and has the settings of
    `NTLConfig` as `ntl_weight`, `ntl_loss`, ... beside it.
    """

    def get_input_args(self) -> str:
        """Name of the class with the settings, for Axolotl to merge into its own."""
        return f"{__name__}.NTLArgs"

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


def config_of(values: Mapping[str, Any]) -> NTLConfig:
    """The `NTLConfig` of Axolotl's configuration; settings that are absent or None have their defaults.

    Raises:
        ValueError: a setting is out of range; the message names it with its prefix.
    """
    return NTLConfig.from_prefixed({key: values[key] for key in _SETTINGS if values.get(key) is not None})


class _Checks(BaseModel):
    """What is refused while Axolotl validates its configuration, before it loads anything.

    The names of the methods are long because Axolotl merges the classes of all plugins into one.
    """

    @model_validator(mode="before")
    @classmethod
    def _ntl_refuse_conflicts(cls, data: Any) -> Any:
        _check_names(data)
        _check_conflicts(data)
        return data

    @model_validator(mode="after")
    def _ntl_check_ranges(self) -> Any:
        config_of({key: getattr(self, key) for key in _SETTINGS})
        return self


def _check_names(data: Mapping[str, Any]) -> None:
    # Axolotl ignores keys that it does not know: a misspelt setting would go unseen.
    for key in data:
        if str(key).startswith(PREFIX) and key not in _SETTINGS:
            hint = did_you_mean(key, _SETTINGS)
            raise ValueError(f"`{key}` is no setting of the number loss.{hint} There are: {', '.join(_SETTINGS)}.")


def _check_conflicts(data: Mapping[str, Any]) -> None:
    plugins = data.get("plugins") or []
    # On by default where its plugin is named.
    cuts = data.get("cut_cross_entropy") is None and any("CutCrossEntropyPlugin" in str(name) for name in plugins)
    for key, reason in _CONFLICTS.items():
        if data.get(key) or (key == "cut_cross_entropy" and cuts):
            raise ValueError(f"`{key}` does not go with NTLPlugin: it {reason}. Remove one of the two.")
    for key in _SPLITS_SEQUENCES:
        if isinstance(data.get(key), int) and data[key] > 1:
            raise ValueError(
                f"`{key}` does not go with NTLPlugin: numbers and their labels would be split over processes. Use "
                "data parallelism, ZeRO or FSDP2 instead."
            )


def _field(setting: Any) -> tuple[Any, Any]:
    # YAML may have a list of terms, or a mapping of terms with weights.
    kind = str | list[Any] | dict[str, Any] if setting.name == "loss" else setting.type
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    # Strict: `true` is no weight. Whole numbers are floats all the same.
    strict = tuple(Annotated[each, Strict()] for each in kinds if each is not NoneType)
    # None: not given, so that the configuration that Axolotl prints and saves has what the user set.
    return Union[(*strict, None)], Field(default=None, description=setting.metadata["help"])


# Derived, so that a setting is written down once: `NTLConfig.weight` is `ntl_weight` here, with its help text.
_FIELDS: dict[str, Any] = {key: _field(setting) for key, setting in _SETTINGS.items()}
NTLArgs = create_model(
    "NTLArgs",
    __base__=_Checks,
    __module__=__name__,
    __doc__="The settings of [`NTLConfig`] as keys of Axolotl's YAML: `ntl_weight`, `ntl_loss`, ...",
    **_FIELDS,
)
