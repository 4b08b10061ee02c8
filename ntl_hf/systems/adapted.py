"""Classes of a system, made of those of any base architecture, under a model type of their own."""

import inspect
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedConfig
from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
)

# Where the `SYSTEM` of each is; imported when it is needed, as they need this module.
_MODULES = {"regression_transformer": ".regression_transformer.model", "xval": ".xval.model"}
# Methods whose parameters transformers looks at.
_INSPECTED = ("forward", "prepare_inputs_for_generation")


@dataclass(frozen=True)
class System:
    """What makes a system of a base model.

    Attributes:
        name: the beginning of its model types, such as "xval" of "xval_llama".
        title: the beginning of the names of its classes.
        mixin: stands before the base's model class.
        fields: settings in its config, each with type and default.
        parameters: what its forward takes beside the parameters of the base's.
    """

    name: str
    title: str
    mixin: type
    fields: dict[str, tuple[Any, Any]]
    parameters: tuple[str, ...] = ()


@cache
def adapted_classes(kind: str, base_model_type: str) -> tuple[type[Any], type[Any]]:
    """Config class and model class of a system on a base architecture, known to transformers' auto classes.

    Generation, caches, tied weights, parallel plans and initialisation are the base's own.

    Args:
        kind: "regression_transformer" or "xval".
        base_model_type: `model_type` of the base, such as "t5" or "llama".

    Raises:
        ValueError: no such system, or a base that is no language model which takes embeddings.
    """
    if kind not in _MODULES:
        raise ValueError(f"`kind` must be one of {', '.join(_MODULES)}, not '{kind}'.")
    system: System = import_module(_MODULES[kind], __package__).SYSTEM
    base_config, base_model, auto_class = _base_classes(base_model_type)
    config_class = _config_class(system, base_model_type, base_config)
    model_class = _model_class(system, config_class, base_model)
    AutoConfig.register(config_class.model_type, config_class, exist_ok=True)
    auto_class.register(config_class, model_class, exist_ok=True)
    conversions = get_checkpoint_conversion_mapping(base_model_type)
    if conversions is not None:
        register_checkpoint_conversion_mapping(config_class.model_type, conversions, overwrite=True)
    # So that they can be pickled.
    globals().update({each.__name__: each for each in (config_class, model_class)})
    return config_class, model_class


def register_for(name_or_path: str, **hub_options: Any) -> str | None:
    """Let transformers' auto classes load a checkpoint of a system; does nothing for other checkpoints.

    Args:
        name_or_path: a folder with `config.json`, or a name on the hub.
        hub_options: such as `revision`.

    Returns:
        The name of the system, or None.
    """
    settings, _ = PreTrainedConfig.get_config_dict(name_or_path, **hub_options)
    kind, base = split_model_type(settings.get("model_type", ""))
    if kind is not None:
        adapted_classes(kind, base)
    return kind


def system_of(config: Any) -> str | None:
    """ "regression_transformer" or "xval"; None for the config of any other model."""
    return split_model_type(config.model_type)[0]


def split_model_type(model_type: str) -> tuple[Any, str]:
    """The name of the system, None for other models, and the base's model type."""
    for kind in _MODULES:
        if model_type.startswith(f"{kind}_"):
            return kind, model_type.removeprefix(f"{kind}_")
    return None, model_type


def _base_classes(model_type: str) -> tuple[type[Any], type[Any], Any]:
    try:
        config_class = type(AutoConfig.for_model(model_type))
    except ValueError as error:
        raise ValueError(
            f"transformers has no model type '{model_type}'; name one such as 't5' or 'llama'."
        ) from error
    for mapping, auto_class in (
        (MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, AutoModelForSeq2SeqLM),
        (MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM),
    ):
        model_class: Any = mapping.get(config_class, None)
        if model_class is not None and "inputs_embeds" in inspect.signature(model_class.forward).parameters:
            return config_class, model_class, auto_class
    raise ValueError(f"Models of type '{model_type}' are no language models that take `inputs_embeds`; take another.")


def _config_class(system: System, base_type: str, base: type[Any]) -> type[Any]:
    namespace = {
        "__doc__": f"`{base.__name__}` with the settings of the system '{system.name}'.",
        "__module__": __name__,
        "__annotations__": {name: kind for name, (kind, _) in system.fields.items()},
        **{name: default for name, (_, default) in system.fields.items()},
        "model_type": f"{system.name}_{base_type}",
    }
    return type(f"{system.title}{base.__name__}", (base,), namespace)


def _model_class(system: System, config_class: type[Any], base: type[Any]) -> type[Any]:
    namespace: dict[str, Any] = {
        "__doc__": f"`{base.__name__}` as a model of the system '{system.name}'.",
        "__module__": __name__,
        "config_class": config_class,
    }
    for name in _INSPECTED:
        if hasattr(system.mixin, name):
            namespace[name] = _like(getattr(base, name), getattr(system.mixin, name), system.parameters)
    # transformers looks into the source of the class's own module for these.
    for name in ("_can_set_attn_implementation", "_can_set_experts_implementation"):
        if hasattr(base, name):
            namespace[name] = staticmethod(getattr(base, name))
    return type(f"{system.title}{base.__name__}", (system.mixin, base), namespace)


def _like(base_method: Any, method: Any, added: tuple[str, ...]) -> Any:
    """A method of a mixin, which takes keywords, with the signature of the base's and some keywords more."""
    signature = inspect.signature(base_method)
    parameters = list(signature.parameters.values())
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][1:]
    keywords = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in added]
    if parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
        parameters, keywords = parameters[:-1], [*keywords, parameters[-1]]

    @wraps(base_method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(self, **dict(zip(positional[: len(args)], args, strict=True)), **kwargs)

    wrapper.__signature__ = signature.replace(parameters=[*parameters, *keywords])  # type: ignore[attr-defined]
    return wrapper
