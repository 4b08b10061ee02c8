"""Answers of a model to prompts, in batches."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import GenerationConfig


def generation_config(model: Any, tokenizer: Any, **settings: Any) -> GenerationConfig:
    """The model's own special tokens and stopping rules with `settings`; greedy unless these say `do_sample`.

    Raises:
        ValueError: settings that contradict each other.
    """
    config = deepcopy(model.generation_config)
    if not settings.get("do_sample"):
        # What a model brings along for sampling would be warned of, once a batch.
        config.update(temperature=None, top_p=None, top_k=None, min_p=None)
    ends = {tokenizer.eos_token_id, *_as_list(config.eos_token_id)} - {None}
    config.update(max_length=None, eos_token_id=sorted(ends), pad_token_id=tokenizer.pad_token_id, **settings)
    config.validate()
    return config


def generate_answers(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], batch_size: int, config: GenerationConfig
) -> list[str]:
    """Generate one text a prompt.

    Args:
        model: a decoder or an encoder-decoder, in evaluation mode.
        tokenizer: its tokenizer, with a padding token.
        prompts: token ids, see `TextEncoder.encode_prompts`.
        batch_size: prompts of similar length are generated together; the longest first, so that a batch which is too
            large for the memory shows at once.
        config: see `generation_config`.

    Returns:
        The texts without special tokens, in the order of the prompts; a decoder's without the prompt.
    """
    # A decoder goes on where its prompt ends; an encoder may count positions from the start.
    side = "right" if model.config.is_encoder_decoder else "left"
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    texts = [""] * len(prompts)
    with tqdm(total=len(prompts), desc="Generating", unit="row") as bar:
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = _pad(tokenizer, [prompts[row] for row in rows], side).to(model.device)
            with torch.inference_mode():
                ids = model.generate(**batch, generation_config=config)
            if not model.config.is_encoder_decoder:
                ids = ids[:, batch["input_ids"].shape[1] :]
            answers = tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            for row, text in zip(rows, answers, strict=True):
                texts[row] = text
            bar.update(len(rows))
    return texts


def _pad(tokenizer: Any, prompts: list[Sequence[int]], side: str) -> Any:
    return tokenizer.pad({"input_ids": prompts}, return_tensors="pt", padding_side=side)


def _as_list(ids: Any) -> list[Any]:
    return ids if isinstance(ids, list) else [ids]
