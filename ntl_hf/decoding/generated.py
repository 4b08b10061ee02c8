"""Candidates that a model writes itself: samples, and the likeliest texts of a beam search."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from .generate import generate_answers, generate_scored, generation_config

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
    with _seeded(seed, model.device):
        texts = generate_answers(model, tokenizer, repeated, batch_size, config)
    return [texts[start : start + num] for start in range(0, len(texts), num)]


def beam_texts(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], num: int, max_new_tokens: int, batch_size: int
) -> list[list[tuple[str, float]]]:
    """The `num` texts that a beam search ends with for each prompt, and the log-probability of each.

    Without length penalty: the score is that of the whole text, its end included. A text that is cut at
    `max_new_tokens` has that of its beginning.
    """
    config = generation_config(
        model,
        tokenizer,
        **_PLAIN,
        do_sample=False,
        num_beams=num,
        num_return_sequences=num,
        length_penalty=0.0,
        early_stopping=False,
        max_new_tokens=max_new_tokens,
    )
    return generate_scored(model, tokenizer, prompts, max(1, batch_size // num), config)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng([] if device.type == "cpu" else [device]):
        torch.manual_seed(seed)
        yield
