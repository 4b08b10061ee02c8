"""Going on from rows: with the model's memory, without it, and where a model cannot be told positions."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaForCausalLM

from ntl_hf.decoding.exact import candidate_log_probs
from ntl_hf.decoding.stepper import Stepper
from ntl_hf.decoding.trie import Trie
from tests.decoding.reference import PROMPTS, digit_case, log_prob


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5", "bart"])
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
        torch.testing.assert_close(quick.logits, slow.logits, rtol=1e-9, atol=1e-9)


def test_a_step_leaves_its_state_as_it_is():
    stepper = Stepper(*digit_case("llama"))
    state = stepper.start(PROMPTS)
    once = stepper.step(state, torch.tensor([1]), torch.tensor([6]))
    stepper.step(state, torch.tensor([0, 0, 3]), torch.tensor([4, 5, 6]))
    again = stepper.step(state, torch.tensor([1]), torch.tensor([6]))
    assert torch.equal(once.logits, again.logits)


class WithoutPositions(LlamaForCausalLM):
    """Counts positions from the start of a row, padding included."""

    def forward(self, input_ids=None, attention_mask=None, past_key_values=None, use_cache=None):
        inputs = {"attention_mask": attention_mask, "past_key_values": past_key_values, "use_cache": use_cache}
        return super().forward(input_ids, **inputs)


def test_prompts_of_different_lengths_are_kept_apart_where_padding_would_be_read():
    model, tokenizer = digit_case("llama")
    model.__class__ = WithoutPositions
    answers = tokenizer(["0", "17", "5"])["input_ids"]
    assert not Stepper(model, tokenizer).takes_padding
    found = candidate_log_probs(model, tokenizer, [*PROMPTS, [5, 4]], Trie.from_ids(answers), [1], 4)
    wanted = [[log_prob(model, prompt, ids) for ids in answers] for prompt in [*PROMPTS, [5, 4]]]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=1e-9, atol=1e-9)
