"""The model and the tokenizer of a job, and the system that a model was trained as."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import LoraConfig, TaskType
from peft.utils import CONFIG_NAME as ADAPTER_CONFIG
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    set_seed,
)
from transformers.utils import is_bitsandbytes_available
from trl import get_peft_config, get_quantization_config

from ..systems.adapted import register_for, system_of
from ..systems.registration import is_system
from ..systems.regression_head import is_regression_head
from ..tokens.digit_tokenizer import split_digits
from ..tokens.digit_tokens import add_digit_tokens
from ..trainers.lora import with_number_rows
from .job import SYSTEM_OPTIONS, Job, ModelArguments, SystemArguments
from .model_names import loading

_NAMES = {"regression_transformer": "rt", "xval": "xval", "regression_head": "regression_head", None: "standard"}


@dataclass
class Loaded:
    """A model with its tokenizer, and the ids of the digits that were added to both."""

    model: Any
    tokenizer: Any
    added: list[int]


def load_config(job: Job) -> PretrainedConfig:
    """The model's configuration, which is quick to read and tells what kind of model it is.

    Raises:
        ValueError: no model is named, or it is to be quantised in a way that cannot work.
        OSError: there is no such model.
    """
    if job.model_args.model_name_or_path is None:
        raise ValueError("`model_name_or_path` is missing: a hub id or a local folder.")
    _check_quantization(job.model_args)
    if job.model_args.from_scratch and job.model_args.use_peft:
        raise ValueError("`use_peft` trains an adapter beside frozen weights, and `from_scratch` makes these random.")
    name = job.model_name
    with loading(name):
        register_for(name, **job.source)
        config = AutoConfig.from_pretrained(name, **job.source)
    if is_system(config) and (Path(name) / ADAPTER_CONFIG).exists():
        raise ValueError(
            f"{name} is an adapter on another model: merge the two first (`model.merge_and_unload()`), or start from "
            "the base model."
        )
    return config


def load_model(auto_class: Any, job: Job, **kwargs: Any) -> Loaded:
    """Load tokenizer and model, with the digits that are to be added.

    Args:
        auto_class: such as `AutoModelForCausalLM`.
        job: which model, how it is loaded, and what is done to its tokenizer.
        kwargs: for `from_pretrained`.

    Raises:
        OSError: there is no such model, or it has no tokenizer.
    """
    tokenizer = load_tokenizer(job)
    kwargs = {**model_kwargs(job), **kwargs}
    if job.model_args.from_scratch:
        set_seed(job.args.seed)
        del kwargs["revision"]
        model = auto_class.from_config(AutoConfig.from_pretrained(job.model_name, **job.source), **kwargs)
    else:
        model = auto_class.from_pretrained(job.model_name, **kwargs)
    return Loaded(model, tokenizer, add_digit_tokens(tokenizer, model) if job.token_args.add_digit_tokens else [])


def load_tokenizer(job: Job) -> Any:
    """The tokenizer of the model that is named, splitting digits if it is to; `OSError` if there is none."""
    tokenizer = AutoTokenizer.from_pretrained(job.model_name, **job.source)
    return split_digits(tokenizer) if job.token_args.split_digits else tokenizer


def model_kwargs(job: Job) -> dict[str, Any]:
    """For `from_pretrained`: which revision, in which precision, with which attention."""
    model_args = job.model_args
    kwargs = {**job.source, "attn_implementation": model_args.attn_implementation, "dtype": model_args.dtype}
    quantization = get_quantization_config(model_args)
    return kwargs if quantization is None else {**kwargs, "quantization_config": quantization}


def lora_config(loaded: Loaded, job: Job) -> LoraConfig | None:
    """The adapter to train, added digits included; None for full fine-tuning."""
    config: Any = get_peft_config(job.model_args)
    if config is None:
        return None
    if loaded.model.config.is_encoder_decoder:
        config.task_type = TaskType.SEQ_2_SEQ_LM
    tokenizer = loaded.tokenizer if job.token_args.train_number_rows else None
    return with_number_rows(config, loaded.model, tokenizer, loaded.added, job.args.ntl_digits_only)


def _check_quantization(model_args: ModelArguments) -> None:
    name = next((n for n in ("load_in_4bit", "load_in_8bit") if getattr(model_args, n)), None)
    if name is None:
        return
    if not model_args.use_peft:
        raise ValueError(f"`{name}` freezes the model, so that only an adapter can be trained: add `use_peft: true`.")
    if not is_bitsandbytes_available():
        raise ValueError(f"`{name}` needs bitsandbytes: pip install 'ntl-hf[qlora]'.")


def system_name(config: PretrainedConfig) -> str:
    """Which of the systems a model was trained as, by its configuration."""
    return "regression_head" if is_regression_head(config) else _NAMES[system_of(config)]


def auto_class_of(config: PretrainedConfig) -> Any:
    """The class of transformers that loads a model, by its configuration."""
    if is_regression_head(config):
        return AutoModelForSequenceClassification
    return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM


def check_start(config: PretrainedConfig, system_args: SystemArguments, name: str) -> None:
    """Raise `ValueError` for a model that is of another system than the one that it is to be trained as."""
    found, wanted = system_name(config), system_args.system
    # A Regression Transformer is a model with other tokens, which trains on like any other.
    if found not in ("standard", wanted) and (found, wanted) != ("rt", "standard"):
        raise ValueError(
            f"{name} was trained with `system: {found}` and cannot go on as '{wanted}': its tokens and "
            f"weights are of that system. Set `system: {found}`, or start from the base model."
        )
    # A model that has been trained as a system keeps its settings: others would be passed over.
    tokens, scaling = (getattr(config, field, None) or {} for field in ("number_tokens", "number_scaling"))
    saved = {
        "rt_places": [tokens.get("low"), tokens.get("high")],
        "rt_encoding": getattr(config, "number_encoding", None),
        "rt_largest": getattr(config, "number_encoding_largest", None),
        "number_scaling": scaling.get("kind"),
        "number_weight": getattr(config, "number_weight", None),
    }
    for option in SYSTEM_OPTIONS[found]:
        given = getattr(system_args, option)
        if option in saved and given not in (saved[option], getattr(SystemArguments(), option)):
            raise ValueError(
                f"`{option}` is {given}, but {name} was made with {saved[option]}: remove it, or start from the base "
                "model."
            )
