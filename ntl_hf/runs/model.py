"""The model and the tokenizer of a recipe."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peft import LoraConfig, TaskType
from peft.utils import CONFIG_NAME as ADAPTER_CONFIG
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, set_seed
from transformers.utils import is_bitsandbytes_available
from trl import ModelConfig, get_peft_config, get_quantization_config

from ..systems.adapted import register_for
from ..tokens.digit_tokenizer import split_digits
from ..tokens.digit_tokens import add_digit_tokens
from ..trainers.lora import with_number_rows
from ..trainers.model_systems import is_system
from .model_names import check_model_name, loading_error


@dataclass
class NumberTokenArguments:
    """What is done to the tokenizer and to the rows of its number tokens."""

    add_digit_tokens: bool = field(
        default=False, metadata={"help": "Add the single digits that the tokenizer lacks, and train their rows."}
    )
    split_digits: bool = field(
        default=False,
        metadata={"help": "Write numbers digit by digit, with a tokenizer that has pieces of several digits too."},
    )
    train_number_rows: bool = field(
        default=False,
        metadata={"help": "With LoRA: also train the rows of the number tokens in the embedding and the head."},
    )


@dataclass
class ModelArguments(ModelConfig):
    """TRL's `ModelConfig`, and whether the weights are taken."""

    from_scratch: bool = field(
        default=False,
        metadata={
            "help": "Train from random weights, drawn with `seed`: of the model, only its configuration and tokenizer "
            "are used."
        },
    )


@dataclass
class Loaded:
    """A model with its tokenizer, and the ids of the digits that were added to both."""

    model: Any
    tokenizer: Any
    added: list[int]


def load_config(model_args: ModelArguments, trust_remote_code: bool) -> PretrainedConfig:
    """The model's configuration, which is quick to read and tells what kind of model it is.

    Raises:
        ValueError: no model is named, or it is to be quantised in a way that cannot work.
        OSError: there is no such model.
    """
    if model_args.model_name_or_path is None:
        raise ValueError("`model_name_or_path` is missing: a hub id or a local folder.")
    _check_quantization(model_args)
    if model_args.from_scratch and model_args.use_peft:
        raise ValueError("`use_peft` trains an adapter beside frozen weights, and `from_scratch` makes these random.")
    check_model_name(model_args.model_name_or_path)
    source = {"revision": model_args.model_revision, "trust_remote_code": trust_remote_code}
    try:
        register_for(model_args.model_name_or_path, **source)
        config = AutoConfig.from_pretrained(model_args.model_name_or_path, **source)
    except OSError as error:
        raise loading_error(model_args.model_name_or_path, error) from error
    if is_system(config) and (Path(model_args.model_name_or_path) / ADAPTER_CONFIG).exists():
        raise ValueError(
            f"{model_args.model_name_or_path} is an adapter on another model: merge the two first "
            "(`model.merge_and_unload()`), or start from the base model."
        )
    return config


def load_model(
    auto_class: Any, model_args: ModelArguments, token_args: NumberTokenArguments, args: Any, **kwargs: Any
) -> Loaded:
    """Load tokenizer and model, with the digits that are to be added.

    Args:
        auto_class: such as `AutoModelForCausalLM`.
        model_args: which model, and how it is loaded.
        token_args: what is done to its tokenizer.
        args: the training arguments, for `seed` and `trust_remote_code`.
        kwargs: for `from_pretrained`.

    Raises:
        OSError: there is no such model, or it has no tokenizer.
    """
    name = str(model_args.model_name_or_path)
    tokenizer = load_tokenizer(model_args, args)
    if token_args.split_digits:
        tokenizer = split_digits(tokenizer)
    kwargs = {**model_kwargs(model_args, args), **kwargs}
    if model_args.from_scratch:
        set_seed(args.seed)
        del kwargs["revision"]
        model = auto_class.from_config(AutoConfig.from_pretrained(name, **_source(model_args, args)), **kwargs)
    else:
        model = auto_class.from_pretrained(name, **kwargs)
    return Loaded(model, tokenizer, add_digit_tokens(tokenizer, model) if token_args.add_digit_tokens else [])


def load_tokenizer(model_args: ModelArguments, args: Any) -> Any:
    """The tokenizer of the model that is named; `OSError` if there is none."""
    return AutoTokenizer.from_pretrained(str(model_args.model_name_or_path), **_source(model_args, args))


def model_kwargs(model_args: ModelArguments, args: Any) -> dict[str, Any]:
    """For `from_pretrained`: which revision, in which precision, with which attention."""
    return {**_source(model_args, args), **_precision_and_attention(model_args)}


def _source(model_args: ModelArguments, args: Any) -> dict[str, Any]:
    return {"revision": model_args.model_revision, "trust_remote_code": args.trust_remote_code}


def lora_config(
    loaded: Loaded, model_args: ModelArguments, token_args: NumberTokenArguments, digits_only: bool
) -> LoraConfig | None:
    """The adapter to train, added digits included; None for full fine-tuning."""
    config: Any = get_peft_config(model_args)
    if config is None:
        return None
    if loaded.model.config.is_encoder_decoder:
        config.task_type = TaskType.SEQ_2_SEQ_LM
    tokenizer = loaded.tokenizer if token_args.train_number_rows else None
    return with_number_rows(config, loaded.model, tokenizer, loaded.added, digits_only)


def _check_quantization(model_args: ModelConfig) -> None:
    name = next((n for n in ("load_in_4bit", "load_in_8bit") if getattr(model_args, n)), None)
    if name is None:
        return
    if not model_args.use_peft:
        raise ValueError(f"`{name}` freezes the model, so that only an adapter can be trained: add `use_peft: true`.")
    if not is_bitsandbytes_available():
        raise ValueError(f"`{name}` needs bitsandbytes: pip install 'ntl-hf[qlora]'.")


def _precision_and_attention(model_args: ModelConfig) -> dict[str, Any]:
    kwargs = {"attn_implementation": model_args.attn_implementation, "dtype": model_args.dtype}
    quantization = get_quantization_config(model_args)
    return kwargs if quantization is None else {**kwargs, "quantization_config": quantization}
