"""Supervised fine-tuning of a decoder-only model with CE + NTL, the script behind `ntl-hf sft`."""

from collections.abc import Iterator
from typing import Any

from datasets import Dataset

from ..settings.arguments import NTLSFTConfig
from ..systems.regression_transformer.places import check_places
from ..tokens.placed_digits import NumberTokens, has_number_tokens
from ..trainers import NTLSFTTrainer
from .data import DataArguments, load_data
from .model import ModelArguments, NumberTokenArguments, load_config, lora_config
from .run import check, claim_output_dir, set_card_info
from .systems import SystemArguments
from .systems.load import check_start, load_token_model, number_vocab

ARGUMENT_CLASSES = (DataArguments, NumberTokenArguments, SystemArguments, NTLSFTConfig, ModelArguments)


def build_trainer(
    data_args: DataArguments,
    token_args: NumberTokenArguments,
    system_args: SystemArguments,
    args: NTLSFTConfig,
    model_args: ModelArguments,
) -> NTLSFTTrainer:
    """Load model, tokenizer and data, and build the trainer; everything that can be refused is refused here.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    claim_output_dir(args)
    # What is quick to read first: a typo in a path should not cost the loading of a model.
    config = load_config(model_args, args.trust_remote_code)
    if config.is_encoder_decoder:
        raise ValueError(f"{model_args.model_name_or_path} is an encoder-decoder: train it with `ntl-hf train`.")
    if system_args.system not in ("standard", "rt"):
        raise ValueError(f"`system: {system_args.system}` is trained with `ntl-hf train`.")
    check_start(config, system_args, str(model_args.model_name_or_path))
    train_dataset, eval_dataset = load_data(data_args, args.eval_strategy != "no", args.max_steps)
    init_kwargs: Any = args.model_init_kwargs or {}
    loaded = load_token_model(config, model_args, token_args, system_args, args, **init_kwargs)
    _check_places(train_dataset, eval_dataset, loaded.tokenizer)
    trainer = NTLSFTTrainer(
        model=loaded.model,
        args=args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=loaded.tokenizer,
        number_vocab=number_vocab(loaded.tokenizer, system_args, args),
        peft_config=lora_config(loaded, model_args, token_args, args.ntl_digits_only),
    )
    set_card_info(trainer, data_args, model_args)
    check(trainer)
    return trainer


def _check_places(train_dataset: Any, eval_dataset: Any, tokenizer: Any) -> None:
    """TRL makes token ids of the texts itself."""
    if not has_number_tokens(tokenizer):
        return
    tokens = NumberTokens.from_tokenizer(tokenizer)
    for dataset in (train_dataset, eval_dataset):
        if isinstance(dataset, Dataset):
            check_places((text for row in dataset for text in _texts(row)), tokens)


def _texts(row: dict[str, Any]) -> Iterator[str]:
    """The texts of a row, those of its conversations too."""
    for name in ("prompt", "completion", "text", "messages", "conversations"):
        value = row.get(name)
        turns: list[Any] = value if isinstance(value, list) else [{"content": value}]
        yield from (str(turn["content"]) for turn in turns if isinstance(turn.get("content"), str))
