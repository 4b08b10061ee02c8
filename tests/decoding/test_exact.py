"""The trie walk against every candidate alone, in float64 with full logits, for decoders and encoder-decoders."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model

from ntl_hf.decoding import NumberDecoder, number_range, predict_numbers
from ntl_hf.decoding.exact import build_trie, candidate_log_probs
from tests.decoding.reference import PROMPTS, digit_case, log_prob
from tests.tiny import ARCHITECTURES, char_tokenizer, tiny_model

# Of one to three digits, some the beginning of others.
ANSWERS = ["0", "7", "70", "701", "702", "12", "9", "123", "999", "00"]


def ids_of(tokenizer, answers):
    return tokenizer(list(answers), add_special_tokens=False)["input_ids"]


def brute_force(model, tokenizer, prompts, answers, ends=(1,)):
    return torch.tensor(
        [[log_prob(model, prompt, ids, ends) for ids in ids_of(tokenizer, answers)] for prompt in prompts],
        dtype=torch.float64,
    )


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5", "bart"])
def test_equals_every_candidate_alone(kind, batch_size):
    model, tokenizer = digit_case(kind)
    found = candidate_log_probs(model, tokenizer, PROMPTS, ids_of(tokenizer, ANSWERS), [1], batch_size)
    torch.testing.assert_close(found, brute_force(model, tokenizer, PROMPTS, ANSWERS), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_architecture_in_a_batch_and_alone(kind):
    """Caches, positions and padding of all kinds; some are without a cache that is known here."""
    model, tokenizer = tiny_model(kind).eval(), char_tokenizer()
    found = candidate_log_probs(model, tokenizer, PROMPTS, ids_of(tokenizer, ANSWERS), [1], 4)
    torch.testing.assert_close(found, brute_force(model, tokenizer, PROMPTS, ANSWERS), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_an_adapter(kind):
    task = "SEQ_2_SEQ_LM" if kind == "t5" else "CAUSAL_LM"
    settings = LoraConfig(target_modules=["q", "v", "q_proj", "v_proj"], init_lora_weights=False, task_type=task)
    model, tokenizer = get_peft_model(tiny_model(kind), settings).eval(), char_tokenizer()
    found = candidate_log_probs(model, tokenizer, PROMPTS, ids_of(tokenizer, ANSWERS), [1], 4)
    torch.testing.assert_close(found, brute_force(model, tokenizer, PROMPTS, ANSWERS), rtol=1e-4, atol=1e-4)


@settings(max_examples=25)
@given(st.sets(st.text("0123456789", min_size=1, max_size=4), min_size=1, max_size=12), st.integers(1, 5))
def test_any_set_of_candidates(answers, batch_size):
    model, tokenizer = digit_case("llama")
    answers = sorted(answers)
    found = candidate_log_probs(model, tokenizer, PROMPTS[:2], ids_of(tokenizer, answers), [1], batch_size)
    torch.testing.assert_close(found, brute_force(model, tokenizer, PROMPTS[:2], answers), rtol=1e-9, atol=1e-9)
    assert float(found.exp().sum(-1).max()) <= 1 + 1e-12


def test_several_tokens_may_end_an_answer():
    model, tokenizer = digit_case("llama", characters="0123456789.\n")
    stop = tokenizer.convert_tokens_to_ids(".")
    model.generation_config.eos_token_id = [1, stop]
    wanted = brute_force(model, tokenizer, PROMPTS, ANSWERS, ends=(1, stop)).exp()
    found = NumberDecoder(model, tokenizer, candidates="exact", formats=ANSWERS).distributions(PROMPTS)
    for distribution, probs in zip(found, wanted.tolist(), strict=True):
        assert 1 - distribution.unreadable == pytest.approx(sum(probs), rel=1e-9)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_the_distribution_and_the_expected_value(kind):
    """RAIL's prediction for the squared error: the sum of probability times number, over all that can be answered."""
    model, tokenizer = digit_case(kind)
    formats = number_range("0-30")
    probs = brute_force(model, tokenizer, PROMPTS, formats).exp()
    found = predict_numbers(model, tokenizer, PROMPTS, "squared", candidates="exact", formats=formats, batch_size=8)
    for prediction, row in zip(found, probs, strict=True):
        own = prediction.distribution
        assert own.values == tuple(range(31)) and own.texts == tuple(formats)
        assert own.weights == pytest.approx((row / row.sum()).tolist(), rel=1e-8)
        assert own.unreadable == pytest.approx(1 - float(row.sum()), abs=1e-9)
        assert prediction.value == pytest.approx(float((row * torch.arange(31)).sum() / row.sum()), rel=1e-8)


def test_numbers_written_in_two_ways_are_added_up():
    model, tokenizer = digit_case("llama")
    probs = brute_force(model, tokenizer, PROMPTS, ["7", "07", "8"]).exp()
    found = NumberDecoder(model, tokenizer, candidates="exact", formats=["7", "07", "8"]).distributions(PROMPTS)
    for own, row in zip(found, probs, strict=True):
        assert own.values == (7, 8)
        assert own.weights[0] == pytest.approx(float((row[0] + row[1]) / row.sum()), rel=1e-9)
        assert own.texts == ("7" if row[0] >= row[1] else "07", "8")


@pytest.mark.parametrize(("batch_size", "most"), [(1000, 4), (128, 12)])
def test_a_thousand_candidates_take_few_passes(batch_size, most):
    """One for the prompt, and a batch of ten, a hundred and a thousand."""
    model, tokenizer = digit_case("llama", dtype=torch.float32)
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    decoder = NumberDecoder(
        model, tokenizer, candidates="exact", formats=number_range("000-999"), batch_size=batch_size
    )
    own = decoder.distributions([PROMPTS[0]])[0]
    assert len(own.values) == 1000 and len(passes) <= most


def test_a_trie_shares_what_candidates_begin_with():
    below_five = {-1: 0, 6: {-1: 1}, 7: {-1: 2}}
    assert build_trie([[5], [5, 6], [5, 7], [8]]) == {5: below_five, 8: {-1: 3}}
