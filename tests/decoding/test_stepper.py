"""Going on from rows: with the model's memory, without it, and where a model cannot be told positions."""

from dataclasses import replace
from inspect import signature
from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaForCausalLM
from transformers.modeling_outputs import CausalLMOutput

from ntl_hf.decoding import stepper as stepper_module
from ntl_hf.decoding.exact import candidate_log_probs
from ntl_hf.decoding.stepper import Stepper, cache_argument, cache_of
from tests.decoding.reference import PROMPTS, digit_case, log_prob


@pytest.mark.parametrize("kind", ["llama", "gpt2", "falcon-h1", "t5", "bart"])
def test_reading_everything_again_gives_the_same(kind):
    """What a model without a cache does; rows go on in several ways, in any order."""
    stepper = Stepper(*digit_case(kind))
    quick = stepper.start(PROMPTS)
    slow = replace(quick, cache=None)
    for rows, tokens in (([4, 0, 0, 2, 1, 3], [4, 5, 6, 7, 8, 9]), ([5, 5, 1], [10, 4, 5])):
        quick, slow = (
            stepper.step(state, torch.tensor(rows), torch.tensor(tokens))
            for state in (quick, replace(slow, cache=None))
        )
        assert quick.path[:, -1].tolist() == tokens and len(slow.logits) == len(rows)
        close = 1e-5 if kind == "falcon-h1" else 1e-9  # parts of it are float32
        torch.testing.assert_close(quick.logits, slow.logits, rtol=close, atol=close)


def test_a_step_leaves_its_state_as_it_is():
    stepper = Stepper(*digit_case("llama"))
    state = stepper.start(PROMPTS)
    once = stepper.step(state, torch.tensor([1]), torch.tensor([6]))
    stepper.step(state, torch.tensor([0, 0, 3]), torch.tensor([4, 5, 6]))
    again = stepper.step(state, torch.tensor([1]), torch.tensor([6]))
    assert torch.equal(once.logits, again.logits)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "falcon-h1", "t5", "bart"])
def test_a_step_reads_one_token(kind):
    """It goes on from the cache, whatever this version of transformers calls it."""
    stepper, lengths = Stepper(*digit_case(kind)), []
    name = "decoder_input_ids" if stepper.is_seq2seq else "input_ids"
    stepper.model.register_forward_pre_hook(
        lambda module, args, inputs: lengths.append(inputs[name].shape[1]), with_kwargs=True
    )
    state = stepper.start(PROMPTS)
    for rows in ([0, 0, 3], [2, 1]):
        state = stepper.step(state, torch.tensor(rows), torch.tensor([6] * len(rows)))
    assert lengths == [1 if stepper.is_seq2seq else max(map(len, PROMPTS)), 1, 1]


class WithoutPositions(LlamaForCausalLM):
    """Counts positions from the start of a row, padding included; takes the cache under its older name."""

    def forward(self, input_ids=None, attention_mask=None, past_key_values=None, use_cache=None):
        cache = {cache_argument(signature(LlamaForCausalLM.forward).parameters): past_key_values}
        return super().forward(input_ids, attention_mask=attention_mask, use_cache=use_cache, **cache)


class LosesItsCache(LlamaForCausalLM):
    """As a version of transformers would with a third name for it."""

    def forward(self, *args, **inputs):
        return CausalLMOutput(logits=super().forward(*args, **inputs).logits)

    forward.__signature__ = signature(LlamaForCausalLM.forward)


def test_a_cache_that_is_not_found_is_an_error():
    model, tokenizer = digit_case("llama")
    model.__class__ = LosesItsCache
    with pytest.raises(RuntimeError, match="LosesItsCache takes a cache"):
        Stepper(model, tokenizer).start(PROMPTS)


class WithoutCache(LlamaForCausalLM):
    def forward(self, input_ids=None, attention_mask=None, position_ids=None, use_cache=None):
        return super().forward(input_ids, attention_mask=attention_mask, position_ids=position_ids, use_cache=False)


def test_a_model_without_a_cache_reads_everything_again_and_says_so(monkeypatch):
    model, tokenizer = digit_case("llama")
    quick = Stepper(model, tokenizer).start(PROMPTS)
    warned = []
    monkeypatch.setattr(stepper_module.logger, "warning_once", warned.append)
    model.__class__ = WithoutCache
    slow = Stepper(model, tokenizer)
    assert slow.start(PROMPTS).cache is None and len(warned) == 1 and "WithoutCache takes no cache" in warned[0]
    rows, tokens = torch.tensor([1, 1]), torch.tensor([5, 6])
    again = slow.step(slow.start(PROMPTS), rows, tokens).logits
    model.__class__ = LlamaForCausalLM
    torch.testing.assert_close(again, Stepper(model, tokenizer).step(quick, rows, tokens).logits, rtol=1e-9, atol=1e-9)


def test_the_state_of_a_recurrent_model_is_a_cache_too():
    """Mamba has no positions, and took the mask of the whole text for that of the new token. Before transformers 5.24
    its cache had a name of its own, and everything was read again."""
    stepper = Stepper(*digit_case("mamba", dtype=torch.float32))
    state = stepper.start([[4, 5, 6], [5, 5, 4]])
    assert (state.cache is None) == (stepper._cache_argument is None)
    for rows, tokens in (([1, 0, 0], [4, 5, 6]), ([2, 1], [7, 4])):
        state = stepper.step(state, torch.tensor(rows), torch.tensor(tokens))
    again = stepper.start(torch.cat([state.source, state.path], dim=1).tolist())
    torch.testing.assert_close(state.logits, again.logits, rtol=1e-4, atol=1e-5)


def test_prompts_of_different_lengths_are_kept_apart_where_padding_would_be_read():
    model, tokenizer = digit_case("llama")
    model.__class__ = WithoutPositions
    answers = tokenizer(["0", "17", "5"])["input_ids"]
    assert not Stepper(model, tokenizer).takes_padding
    found = candidate_log_probs(model, tokenizer, [*PROMPTS, [5, 4]], answers, [1], 4)
    wanted = [[log_prob(model, prompt, ids) for ids in answers] for prompt in [*PROMPTS, [5, 4]]]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["cache", "past_key_values"])
def test_both_names_of_a_cache_are_known(name):
    assert cache_argument(["input_ids", name]) == name
    assert cache_of(SimpleNamespace(logits=0, **{name: "kept"})) == "kept"


def test_the_new_name_of_a_cache_counts_more():
    assert cache_argument(["past_key_values", "cache"]) == "cache" and cache_argument(["input_ids"]) is None
    assert cache_of(SimpleNamespace(past_key_values="old", cache="new")) == "new"
    assert cache_of(SimpleNamespace(logits=0)) is None
