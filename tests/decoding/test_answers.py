"""Answers in batches are those of each prompt alone."""

import pytest
import torch
from transformers import GenerationConfig

from ntl_hf.decoding.generate import generate_answers, generation_config
from tests.tiny import char_tokenizer, tiny_model

PROMPTS = [[5, 6], [7, 8, 9, 10, 11, 12, 13], [20], [30, 31, 32, 33], [5, 6, 7]]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("kind", ["llama", "t5", "gpt2", "bart"])
def test_batches_pad_and_keep_the_order(kind, batch_size):
    model, tokenizer = tiny_model(kind).eval(), char_tokenizer()
    config = generation_config(model, tokenizer, max_new_tokens=6)
    found = generate_answers(model, tokenizer, PROMPTS, batch_size, config)
    wanted = []
    for prompt in PROMPTS:
        ids = model.generate(torch.tensor([prompt]), max_new_tokens=6, do_sample=False)[0]
        ids = ids if model.config.is_encoder_decoder else ids[len(prompt) :]
        wanted.append(tokenizer.decode(ids, skip_special_tokens=True))
    assert found == wanted
    assert len(set(found)) > 1 and all(len(text) <= 6 for text in found)


def test_a_models_own_sampling_is_not_taken_over_unless_asked_for():
    model, tokenizer = tiny_model(), char_tokenizer()
    model.generation_config = GenerationConfig(do_sample=True, temperature=0.2, top_p=0.9, eos_token_id=[1, 7])
    greedy = generation_config(model, tokenizer, max_new_tokens=4, do_sample=False)
    assert not greedy.do_sample and greedy.temperature is None and greedy.top_p is None
    assert greedy.eos_token_id == [1, 7] and greedy.pad_token_id == tokenizer.pad_token_id
    sampled = generation_config(model, tokenizer, max_new_tokens=4, do_sample=True, temperature=0.7, top_p=1.0)
    assert sampled.do_sample and sampled.temperature == 0.7
    assert model.generation_config.temperature == 0.2


def test_generation_stops_at_the_end_of_text():
    model, tokenizer = tiny_model().eval(), char_tokenizer()
    config = generation_config(model, tokenizer, max_new_tokens=8)
    first = generate_answers(model, tokenizer, [[5, 6]], 1, config)[0]
    config.eos_token_id = [*config.eos_token_id, tokenizer(first)["input_ids"][0]]
    assert generate_answers(model, tokenizer, [[5, 6]], 1, config)[0] == first[0]
