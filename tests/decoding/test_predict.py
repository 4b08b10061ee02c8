"""The public call: texts and token ids, and what is refused before anything is generated."""

import pytest
import torch

import ntl_hf.decoding
from ntl_hf.decoding import NumberDecoder, number_range, predict_numbers
from ntl_hf.decoding.batches import longest_first
from tests.decoding.reference import digit_case
from tests.tiny import char_tokenizer, tiny_model


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_texts_are_encoded_as_for_training(kind):
    model, tokenizer = tiny_model(kind).eval(), char_tokenizer()
    own = {"candidates": "exact", "formats": number_range("0-9")}
    texts = predict_numbers(model, tokenizer, ["1+1=", "20*3="], **own)
    ids = predict_numbers(model, tokenizer, tokenizer(["1+1=", "20*3="])["input_ids"], **own)
    assert texts == ids and len(texts) == 2


def test_answers_after_a_mark():
    model, tokenizer = tiny_model().eval(), char_tokenizer()
    own = {"candidates": "exact", "formats": number_range("#### {0-3}"), "answer_mark": "####"}
    prediction = predict_numbers(model, tokenizer, ["1+1="], **own)[0]
    assert prediction.distribution.texts == ("0", "1", "2", "3") and prediction.value in range(4)


def test_no_prompts_no_predictions():
    model, tokenizer = tiny_model().eval(), char_tokenizer()
    assert predict_numbers(model, tokenizer, []) == []


WRONG = {
    "risk": ({"risk": "median"}, "`risk` is 'median'; it must be one of: absolute, squared, zero_one"),
    "candidates": ({"candidates": "beam"}, "`candidates` is 'beam'; it must be one of: samples, beams, exact"),
    "number": ({"num_candidates": 0}, "`num_candidates` must be 1 or more, not 0"),
    "tokens": ({"max_new_tokens": 0}, "`max_new_tokens` must be 1 or more, not 0"),
    "batch": ({"batch_size": -1}, "`batch_size` must be 1 or more, not -1"),
    "no formats": ({"candidates": "exact"}, "give both, or neither"),
    "formats of no use": ({"formats": ["1"]}, "give both, or neither"),
    "no number": ({"candidates": "exact", "formats": ["1", "x"]}, "The format 'x' has no number"),
    "equal formats": ({"candidates": "exact", "formats": ["1", "1"]}, "The format '1' is there twice"),
    "empty prompt": ({"prompts": [[5], []]}, "Prompt 1 has no tokens"),
    "mixed prompts": ({"prompts": ["1+1=", [5]]}, "texts and token ids mixed"),
}


@pytest.mark.parametrize(("settings", "message"), WRONG.values(), ids=list(WRONG))
def test_bad_input_is_one_line_before_the_model_runs(settings, message):
    model, tokenizer = tiny_model().eval(), char_tokenizer()
    ran = []
    model.register_forward_hook(lambda *_: ran.append(1))
    with pytest.raises(ValueError) as caught:
        predict_numbers(model, tokenizer, **{"prompts": [[5, 6]], "max_new_tokens": 2, **settings})
    assert message in str(caught.value) and "\n" not in str(caught.value) and not ran


def test_every_risk_from_one_distribution():
    model, tokenizer = digit_case("llama", dtype=torch.float32)
    own = NumberDecoder(model, tokenizer, "exact", formats=number_range("0-99")).distributions([[5, 6]])[0]
    for risk in ("absolute", "squared", "zero_one"):
        direct = predict_numbers(model, tokenizer, [[5, 6]], risk, candidates="exact", formats=number_range("0-99"))[0]
        assert own.predict(risk) == direct


def test_the_names_are_there():
    for name in ntl_hf.decoding.__all__:
        assert getattr(ntl_hf.decoding, name).__name__ == name
    with pytest.raises(AttributeError, match="predict_number'"):
        _ = ntl_hf.decoding.predict_number


@pytest.mark.parametrize(
    ("equal_lengths", "batches"), [(False, [[3, 1], [4, 0], [2]]), (True, [[3], [1, 4], [0], [2]])]
)
def test_the_longest_rows_come_first_and_equal_ones_in_their_order(equal_lengths, batches):
    assert list(longest_first([2, 3, 1, 7, 3], 2, "Rows", equal_lengths)) == batches
