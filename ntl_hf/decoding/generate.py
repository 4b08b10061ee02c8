"""Answers of a model to prompts, in batches."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
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
    texts = [""] * len(prompts)
    for rows, ids, _ in _generated(model, tokenizer, prompts, batch_size, config):
        for row, text in zip(rows, _decode(tokenizer, ids), strict=True):
            texts[row] = text
    return texts


def generate_scored(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], batch_size: int, config: GenerationConfig
) -> list[list[tuple[str, float]]]:
    """The same for beam search: `num_return_sequences` texts a prompt, each with its score; 0 for a single beam."""
    config = deepcopy(config)
    # Without the scores of all steps, `generate` keeps those of the texts to itself.
    config.update(return_dict_in_generate=True, output_scores=True)
    number = config.num_return_sequences or 1
    found: list[list[tuple[str, float]]] = [[] for _ in prompts]
    for rows, ids, scores in _generated(model, tokenizer, prompts, batch_size, config):
        pairs = list(
            zip(_decode(tokenizer, ids), [0.0] * len(ids) if scores is None else scores.tolist(), strict=True)
        )
        for i, row in enumerate(rows):
            found[row] = pairs[i * number : (i + 1) * number]
    return found


def pad_prompts(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]]) -> Any:
    """One batch, padded where the model goes on from: a decoder where its prompt ends; an encoder may count positions
    from the start."""
    side = "right" if model.config.is_encoder_decoder else "left"
    return tokenizer.pad({"input_ids": list(prompts)}, return_tensors="pt", padding_side=side)


def _generated(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], batch_size: int, config: GenerationConfig
) -> Iterator[tuple[list[int], Tensor, Tensor | None]]:
    """Batch by batch: which prompts, the new token ids, and their scores where `config` asks for them."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    with tqdm(total=len(prompts), desc="Generating", unit="row") as bar:
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = pad_prompts(model, tokenizer, [prompts[row] for row in rows]).to(model.device)
            with torch.inference_mode():
                output = model.generate(**batch, generation_config=config)
            ids = output if isinstance(output, Tensor) else output.sequences
            if not model.config.is_encoder_decoder:
                ids = ids[:, batch["input_ids"].shape[1] :]
            yield rows, ids, getattr(output, "sequences_scores", None)
            bar.update(len(rows))


def _decode(tokenizer: Any, ids: Tensor) -> list[str]:
    return tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _as_list(ids: Any) -> list[Any]:
    return ids if isinstance(ids, list) else [ids]
