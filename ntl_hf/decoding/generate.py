"""Answers that a model writes to prompts, in batches: greedy ones, samples, and the likeliest of a beam search."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from .batches import longest_first

# Against what a model brings along that would make its answers come from another distribution than its own. None would
# not do: `generate` puts the model's setting there.
_PLAIN: dict[str, Any] = {
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "encoder_no_repeat_ngram_size": 0,
    "guidance_scale": 1.0,
    "min_length": 0,
}
_SAMPLING: dict[str, Any] = {
    "do_sample": True,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "num_beams": 1,
    "num_return_sequences": 1,
}
_BEAMS: dict[str, Any] = {
    "do_sample": False,
    "length_penalty": 0.0,
    "early_stopping": False,
    # Without the scores of all steps, `generate` keeps those of the texts to itself.
    "return_dict_in_generate": True,
    "output_scores": True,
}


def generation_config(model: Any, tokenizer: Any, **settings: Any) -> GenerationConfig:
    """The model's own special tokens and stopping rules with `settings`; greedy unless these say `do_sample`.

    Raises:
        ValueError: settings that contradict each other.
    """
    config = deepcopy(model.generation_config)
    if not settings.get("do_sample"):
        # What a model brings along for sampling would be warned of, once a batch.
        config.update(temperature=None, top_p=None, top_k=None, min_p=None)
    own = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    ends = sorted({tokenizer.eos_token_id, *own} - {None})
    config.update(max_length=None, eos_token_id=ends, pad_token_id=tokenizer.pad_token_id, **settings)
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
        batch_size: prompts of similar length are generated together, the longest first.
        config: see `generation_config`.

    Returns:
        The texts without special tokens, in the order of the prompts; a decoder's without the prompt.
    """
    return [text for [(text, _)] in _generate(model, tokenizer, prompts, batch_size, config)]


def sample_texts(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    num: int,
    max_new_tokens: int,
    batch_size: int,
    seed: int,
) -> list[list[str]]:
    """`num` answers to each prompt, drawn from the model's own distribution.

    The same seed gives the same samples for the same prompts and batch size, and leaves other random numbers as they
    are.
    """
    config = generation_config(model, tokenizer, **_PLAIN, **_SAMPLING, max_new_tokens=max_new_tokens)
    repeated = [prompt for prompt in prompts for _ in range(num)]
    with torch.random.fork_rng([] if model.device.type == "cpu" else [model.device]):
        torch.manual_seed(seed)
        texts = generate_answers(model, tokenizer, repeated, batch_size, config)
    return [texts[start : start + num] for start in range(0, len(texts), num)]


def beam_texts(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], num: int, max_new_tokens: int, batch_size: int
) -> list[list[tuple[str, float]]]:
    """The `num` texts that a beam search ends with for each prompt, and the log-probability of each.

    Without length penalty: the score is that of the whole text, its end included. A text that is cut at
    `max_new_tokens` has that of its beginning. The score of a single beam is 0.
    """
    beams = {**_BEAMS, "num_beams": num, "num_return_sequences": num}
    config = generation_config(model, tokenizer, **_PLAIN, **beams, max_new_tokens=max_new_tokens)
    return _generate(model, tokenizer, prompts, max(1, batch_size // num), config)


def pad_prompts(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]]) -> Any:
    """One batch, padded where the model goes on from: a decoder where its prompt ends; an encoder may count positions
    from the start."""
    side = "right" if model.config.is_encoder_decoder else "left"
    return tokenizer.pad({"input_ids": list(prompts)}, return_tensors="pt", padding_side=side)


@torch.inference_mode()
def _generate(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], batch_size: int, config: GenerationConfig
) -> list[list[tuple[str, float]]]:
    """The new texts of each prompt with their scores, 0 where `config` does not ask for any."""
    number = config.num_return_sequences or 1
    found: list[list[tuple[str, float]]] = [[] for _ in prompts]
    for rows in longest_first([len(prompt) for prompt in prompts], batch_size, "Generating"):
        batch = pad_prompts(model, tokenizer, [prompts[row] for row in rows]).to(model.device)
        output = model.generate(**batch, generation_config=config)
        ids = output if isinstance(output, Tensor) else output.sequences
        if not model.config.is_encoder_decoder:
            ids = ids[:, batch["input_ids"].shape[1] :]
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        scores = getattr(output, "sequences_scores", None)
        pairs = list(zip(texts, [0.0] * len(texts) if scores is None else scores.tolist(), strict=True))
        for i, row in enumerate(rows):
            found[row] = pairs[i * number : (i + 1) * number]
    return found
