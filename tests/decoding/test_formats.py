"""Ranges of answers, and their tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ntl_hf.data import TextEncoder
from ntl_hf.data.number_text import read_number
from ntl_hf.decoding import number_range
from ntl_hf.decoding.formats import encode_formats
from tests.tiny import char_tokenizer

RANGES = {
    "0-3": ["0", "1", "2", "3"],
    "9-11": ["9", "10", "11"],
    "008-011": ["008", "009", "010", "011"],
    "-2-1": ["-2", "-1", "0", "1"],
    "-02-01": ["-02", "-01", "00", "01"],
    "-5--3": ["-5", "-4", "-3"],
    "9.8-10.1": ["9.8", "9.9", "10.0", "10.1"],
    "-0.1-0.1": ["-0.1", "0.0", "0.1"],
    "5-5": ["5"],
    " {8-10}": [" 8", " 9", " 10"],
    "#### {00-02} points": ["#### 00 points", "#### 01 points", "#### 02 points"],
}


@pytest.mark.parametrize(("text", "answers"), RANGES.items())
def test_ranges(text, answers):
    assert number_range(text) == answers


@given(st.integers(-300, 300), st.integers(0, 60), st.integers(0, 3))
def test_a_range_is_its_numbers_in_steps_of_the_last_digit(first, steps, places):
    ends = [f"{number / 10**places:.{places}f}" for number in (first, first + steps)]
    found = [read_number(answer) for answer in number_range("-".join(ends))]
    assert found == pytest.approx([(first + i) / 10**places for i in range(steps + 1)])


WRONG = {
    "5": "must be written as 0-10, 000-999",
    "a-b": "A range must be written as",
    "0-1e3": "A range must be written as",
    "{0-3": "A range must be written as",
    "{0-3}{0-3}": "A range must be written as",
    "5-3": "must go up",
    "0-100000": "at most 100,000 numbers",
    "00-100": "must be written alike",
    "0.0-1": "must be written alike",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items())
def test_what_is_no_range(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        number_range(text)
    assert f"'{text}'" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("is_encoder_decoder", [False, True])
def test_tokens_are_those_that_training_makes(is_encoder_decoder):
    tokenizer = char_tokenizer()
    found = encode_formats([" 12", " 7"], tokenizer, is_encoder_decoder)
    assert found == tokenizer([" 12", " 7"], add_special_tokens=False)["input_ids"]
    prompts = TextEncoder(tokenizer, is_encoder_decoder).encode_prompts(["", "1"])
    assert prompts[0] == []


CASES = {
    "none": ([], None, "`formats` must not be empty"),
    "no number": (["1", "many"], None, "The format 'many' has no number."),
    "two numbers": (["1-2"], None, "The format '1-2' has no number."),
    "no mark": (["7"], "####", "The format '7' has no number after '####'."),
    "twice": (["1", "2", "1"], None, "The format '1' is there twice."),
    "too many": ([str(i) for i in range(100_001)], None, "at most 100,000, not 100,001"),
}


@pytest.mark.parametrize(("formats", "mark", "message"), CASES.values(), ids=list(CASES))
def test_formats_that_cannot_be_used(formats, mark, message):
    with pytest.raises(ValueError) as caught:
        encode_formats(formats, char_tokenizer(), False, mark)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_tokenizer_without_the_digits():
    with pytest.raises(ValueError, match="'0' and '1' are the same tokens: this tokenizer has no such digits"):
        encode_formats(["0", "1"], char_tokenizer("abc"), False)


def test_too_many_beginnings():
    """Few candidates, of many tokens each."""
    tokenizer = char_tokenizer()
    formats = [f"{number}.{'0' * 1000}" for number in range(100, 201)]
    with pytest.raises(ValueError, match="at most 100,000 different beginnings"):
        encode_formats(formats, tokenizer, False)


def test_tokens_of_several_digits():
    vocab = {"<pad>": 0, "</s>": 1, "<unk>": 2, "1": 3, "12": 4, "2": 5}
    core = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", unk_token="<unk>", pad_token="<pad>")
    assert encode_formats(["1", "12", "2"], tokenizer, False) == [[3], [4], [5]]
