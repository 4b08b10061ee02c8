"""The LoRA side: adapters that train the rows of number tokens where that is needed."""

from collections.abc import Iterable
from typing import Any

from peft import LoraConfig, PeftConfig, TaskType, get_peft_model
from torch import nn
from transformers import TrainingArguments, set_seed

from ..tokens.number_vocab import NumberVocab


def number_lora_config(
    model: nn.Module,
    tokenizer: Any = None,
    added_token_ids: Iterable[int] = (),
    train_number_rows: bool = False,
    digits_only: bool = True,
    **lora_options: Any,
) -> LoraConfig:
    """Build a `LoraConfig` that is right for number tokens.

    LoRA leaves the embedding and the output head frozen. The rows of new tokens have to be trained all the same, and
    those of existing digits may be: both are given to peft as `trainable_token_indices`, for the input and, where it
    is not tied to it, for the output.

    Args:
        model: the base model.
        tokenizer: needed with `train_number_rows`.
        added_token_ids: what `add_digit_tokens` returned.
        train_number_rows: also train the rows of all number tokens.
        digits_only: which number tokens these are, see `NumberVocab`.
        lora_options: settings of `LoraConfig`, such as `r`, `lora_alpha`, `target_modules` (default "all-linear").

    Raises:
        ValueError: `train_number_rows` without a tokenizer, or a model that already has an adapter.
    """
    if hasattr(model, "peft_config"):
        raise ValueError("The model already has an adapter; build the config from the base model.")
    if train_number_rows and tokenizer is None:
        raise ValueError("`train_number_rows=True` needs the tokenizer, to know which rows those are.")
    config = LoraConfig(**{"target_modules": "all-linear", "task_type": _task_type(model), **lora_options})
    return with_number_rows(config, model, tokenizer if train_number_rows else None, added_token_ids, digits_only)


def with_number_rows(
    config: LoraConfig,
    model: nn.Module,
    tokenizer: Any = None,
    added_token_ids: Iterable[int] = (),
    digits_only: bool = True,
) -> LoraConfig:
    """Let an existing `LoraConfig` train rows too: those added, and with `tokenizer` those of all number tokens.

    Raises:
        ValueError: the output head has a bias, which peft drops from a head with trained rows.
    """
    rows = {int(i) for i in added_token_ids}
    if tokenizer is not None:
        rows |= set(NumberVocab.from_tokenizer(tokenizer, digits_only).ids.tolist())
    if not rows:
        return config
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        raise ValueError(
            f"The output head of {type(model).__name__} has a bias, which peft leaves out where single rows of a head "
            "are trained. Train the whole tables instead (`modules_to_save`), or fine-tune without an adapter."
        )
    # A head tied to the embedding is not listed: peft keeps it tied, trained rows included.
    given = config.trainable_token_indices if isinstance(config.trainable_token_indices, dict) else {}
    tables = {name: sorted({*rows, *given.get(name, ())}) for name in _row_tables(model)}
    config.trainable_token_indices = {**given, **tables}
    return config


def with_adapter(model: nn.Module | None, peft_config: PeftConfig, args: Any = None) -> nn.Module:
    """Put an adapter on a base model, drawn with the seed of the training arguments or the default one.

    Args:
        model: the base model.
        peft_config: of the adapter.
        args: the training arguments; the Trainer sets their seed too late for the adapter's weights.

    Raises:
        TypeError: `peft_config` is not a peft config.
        ValueError: no model, or one that already has an adapter.
    """
    if not isinstance(peft_config, PeftConfig):
        raise TypeError(f"`peft_config` must be a `peft.PeftConfig`, such as `LoraConfig`, not {type(peft_config)}.")
    if model is None:
        raise ValueError("`peft_config` needs `model`; with `model_init`, build the adapter there.")
    if hasattr(model, "peft_config"):
        raise ValueError(
            "The model already has an adapter, and a `peft_config` was given. Leave `peft_config` out to train the "
            "adapter that is there, or merge it first (`model.merge_and_unload()`)."
        )
    set_seed(getattr(args, "seed", TrainingArguments.seed))
    return get_peft_model(model, peft_config)


def has_virtual_positions(model: Any) -> bool:
    """Whether an adapter puts virtual tokens before the text that have logits too: the last predicts the first label.

    Those of prefix tuning stand in the cache, without logits.
    """
    adapters = getattr(model, "peft_config", None) or {}
    in_cache = ("PREFIX_TUNING", "CARTRIDGE")
    return any(each.is_prompt_learning and each.peft_type.value not in in_cache for each in adapters.values())


def _task_type(model: nn.Module) -> TaskType:
    return TaskType.SEQ_2_SEQ_LM if model.config.is_encoder_decoder else TaskType.CAUSAL_LM


def _row_tables(model: nn.Module) -> list[str]:
    """Names of the modules that hold a row a token: the embedding, and the head if it has weights of its own."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    names = {id(module): name for name, module in model.named_modules()}
    tables = [names[id(embedding)]]
    if head is not None and head.weight is not embedding.weight:
        tables.append(names[id(head)])
    return [name.rpartition(".")[2] for name in tables]
