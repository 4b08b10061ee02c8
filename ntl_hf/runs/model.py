"""The model and the tokenizer of a job."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import LoraConfig, TaskType
from peft.utils import CONFIG_NAME as ADAPTER_CONFIG
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, set_seed
from transformers.utils import is_bitsandbytes_available
from trl import get_peft_config, get_quantization_config

from ..systems.adapted import register_for
from ..systems.registration import is_system
from ..tokens.digit_tokenizer import split_digits
from ..tokens.digit_tokens import add_digit_tokens
from ..trainers.lora import with_number_rows
from .job import Job, ModelArguments
from .model_names import loading


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
