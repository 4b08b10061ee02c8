"""Samples and beams against the exact probabilities of whole texts."""

import itertools
import math

import pytest
import torch
from transformers import GenerationConfig

from ntl_hf.decoding import NumberDecoder, predict_numbers
from ntl_hf.decoding.generate import beam_texts, sample_texts
from tests.decoding.reference import PROMPTS, digit_case, log_prob

KINDS = ("llama", "t5")
# What a model has of its own must not act on its distribution.
OWN = GenerationConfig(
    **{"do_sample": True, "temperature": 0.1, "top_k": 1, "top_p": 0.5, "min_p": 0.2, "typical_p": 0.5},
    **{"epsilon_cutoff": 0.1, "eta_cutoff": 0.1, "repetition_penalty": 3.0, "no_repeat_ngram_size": 1},
    **{"length_penalty": 2.0, "early_stopping": True, "num_beams": 3, "min_length": 2},
    **{"eos_token_id": 1, "pad_token_id": 0, "decoder_start_token_id": 0},
)


def texts_of(characters, longest):
    return ["".join(text) for n in range(longest + 1) for text in itertools.product(characters, repeat=n)]


def probabilities(model, tokenizer, prompt, texts):
    ids = [tokenizer.convert_tokens_to_ids(list(text)) for text in texts]
    return {text: math.exp(log_prob(model, prompt, each)) for text, each in zip(texts, ids, strict=True)}


@pytest.mark.parametrize("kind", KINDS)
def test_samples_come_as_often_as_they_are_probable(kind):
    model, tokenizer = digit_case(kind, "0123", ends=1.0)
    model.generation_config = OWN
    number = 4000
    samples = sample_texts(model, tokenizer, PROMPTS[:2], number, max_new_tokens=3, batch_size=1000, seed=0)
    for prompt, drawn in zip(PROMPTS[:2], samples, strict=True):
        assert len(drawn) == number
        for text, probability in probabilities(model, tokenizer, prompt, texts_of("0123", 2)).items():
            spread = math.sqrt(probability * (1 - probability) / number)
            assert abs(drawn.count(text) / number - probability) <= 5 * spread + 1 / number, text


@pytest.mark.parametrize("kind", KINDS)
def test_samples_converge_to_the_exact_distribution(kind):
    """Of the numbers below 100; longer ones are cut. Without a zero, every number has one text."""
    model, tokenizer = digit_case(kind, "1234", ends=1.0)
    formats, prompts, number = texts_of("1234", 2)[1:], PROMPTS[:2], 6000
    exact = NumberDecoder(model, tokenizer, "exact", formats=formats).distributions(prompts)
    settings = {"num_candidates": number, "max_new_tokens": 3, "batch_size": 2000}
    sampled = NumberDecoder(model, tokenizer, "samples", **settings).distributions(prompts)
    for one, many in zip(exact, sampled, strict=True):
        weights = {value: w for value, w in zip(many.values, many.weights, strict=True) if value < 100}
        below = sum(weights.values())
        drawn = number * (1 - many.unreadable) * below
        for value, weight in zip(one.values, one.weights, strict=True):
            spread = math.sqrt(weight * (1 - weight) / drawn)
            assert abs(weights.get(value, 0.0) / below - weight) <= 5 * spread + 1 / drawn


@pytest.mark.parametrize("kind", KINDS)
def test_beams_with_all_candidates_are_exact(kind):
    model, tokenizer = digit_case(kind, "01")
    model.generation_config = OWN
    beams = beam_texts(model, tokenizer, PROMPTS, 31, max_new_tokens=4, batch_size=64)
    for prompt, found in zip(PROMPTS, beams, strict=True):
        wanted = probabilities(model, tokenizer, prompt, texts_of("01", 3))
        ended = {text: math.exp(score) for text, score in found if len(text) < 4}
        assert ended == pytest.approx(wanted, rel=1e-4)
        # With those that are cut, everything there is.
        assert len(found) == 31 and sum(math.exp(score) for _, score in found) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_beams_are_weighted_with_their_probability(kind):
    """The ends of the search are few here: the share that they have of their sum."""
    model, tokenizer = digit_case(kind, "12", ends=2.0)
    formats = texts_of("12", 2)[1:]
    beams = NumberDecoder(model, tokenizer, "beams", num_candidates=15, max_new_tokens=3).distributions(PROMPTS)
    for prompt, own in zip(PROMPTS, beams, strict=True):
        wanted = probabilities(model, tokenizer, prompt, ["", *formats])
        # All that can be said: the weights of what is read add up to the rest.
        found = {text: w * (1 - own.unreadable) for text, w in zip(own.texts, own.weights, strict=True)}
        assert {text: found[text] for text in formats} == pytest.approx({t: wanted[t] for t in formats}, rel=1e-4)
        assert own.unreadable == pytest.approx(wanted[""], rel=1e-4)


@pytest.mark.parametrize("kind", [*KINDS, "gpt2", "bart"])
@pytest.mark.parametrize("candidates", ["beams", "exact"])
def test_a_batch_is_each_prompt_alone(kind, candidates):
    model, tokenizer = digit_case(kind, dtype=torch.float32)
    own = {"num_candidates": 4, "max_new_tokens": 3} if candidates == "beams" else {"formats": ["1", "22", "3"]}
    together = predict_numbers(model, tokenizer, PROMPTS, candidates=candidates, batch_size=8, **own)
    for prompt, found in zip(PROMPTS, together, strict=True):
        alone = predict_numbers(model, tokenizer, [prompt], candidates=candidates, batch_size=1, **own)[0]
        assert (found.value, found.text) == (alone.value, alone.text)
        assert found.distribution.weights == pytest.approx(alone.distribution.weights, rel=1e-3)
        assert found.distribution.unreadable == pytest.approx(alone.distribution.unreadable, abs=1e-4)


def test_a_seed_gives_the_same_samples_and_leaves_other_random_numbers_alone():
    model, tokenizer = digit_case("llama")
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (
        NumberDecoder(model, tokenizer, num_candidates=6, max_new_tokens=3, seed=seed).distributions(PROMPTS)
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert torch.equal(torch.rand(3), wanted)


def test_a_single_beam_is_greedy():
    model, tokenizer = digit_case("llama")
    found = beam_texts(model, tokenizer, PROMPTS, 1, max_new_tokens=3, batch_size=2)
    for prompt, ((text, score),) in zip(PROMPTS, found, strict=True):
        ids = model.generate(torch.tensor([prompt]), max_new_tokens=3, do_sample=False)[0, len(prompt) :]
        assert text == tokenizer.decode(ids, skip_special_tokens=True) and score == 0
