"""The regression head: its rows, the model that is loaded, and its predictions."""

import json
import math

import pytest
import torch
from datasets import Dataset
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForSequenceClassification, pipeline

from ntl_hf.systems.number_rows import NumberCollator
from ntl_hf.systems.regression_head import RegressionEncoder, is_regression_head, load_regression_head, predict
from ntl_hf.systems.scaling import NumberScaling
from tests.downloads import real_tokenizer
from tests.tiny import char_tokenizer, tiny_model

KINDS = ("llama", "gpt2", "t5", "bart")
ROWS = [{"prompt": "12 + 3", "target": 15.0}, {"prompt": "the price", "target": -2.5}, {"prompt": "7", "target": 7.0}]


def eos_tokenizer(**kwargs):
    """Puts an end of text after each text, as those of encoder-decoders do."""
    tokenizer = char_tokenizer(**kwargs)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def load(kind, folder, scaling=None, tokenizer=None, **kwargs):
    tiny_model(kind).save_pretrained(folder)
    return load_regression_head(str(folder), tokenizer or char_tokenizer(), scaling or NumberScaling(), **kwargs)


def encode(rows, is_encoder_decoder=False, max_length=None, tokenizer=None):
    encoder = RegressionEncoder(tokenizer or char_tokenizer(), is_encoder_decoder, max_length)
    return list(encoder.encode(Dataset.from_list(rows)))


# ---- Rows ----


@pytest.mark.parametrize("stream", [False, True])
def test_rows_are_the_prompt_and_its_number(stream):
    tokenizer, data = char_tokenizer(), Dataset.from_list(ROWS)
    rows = list(RegressionEncoder(tokenizer, False).encode(data.to_iterable_dataset() if stream else data))
    for row, given in zip(rows, ROWS, strict=True):
        assert row == {"input_ids": tokenizer(given["prompt"])["input_ids"], "labels": given["target"]}
        assert type(row["labels"]) is float


def test_without_a_target_the_completion_is_read():
    answers = ["15", "x = -2.5.", "1,250 dollars"]
    rows = encode([{"prompt": "a", "completion": answer} for answer in answers])
    assert [row["labels"] for row in rows] == [15, -2.5, 1250]
    (row,) = encode([{"prompt": "a", "completion": "15", "target": 3}])
    assert row["labels"] == 3.0, "a target comes first"


@pytest.mark.parametrize("tokenizer", [char_tokenizer(), eos_tokenizer(), real_tokenizer("t5")])
def test_an_encoder_decoder_has_one_end_of_text_however_it_is_cut(tokenizer):
    text = "the price of 5 apples"
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    for length in (None, *range(2, len(whole) + 4)):
        (row,) = encode([{"prompt": text, "target": 1}], True, length, tokenizer)
        assert row["input_ids"] == [*whole[: None if length is None else length - 1], tokenizer.eos_token_id]
        assert RegressionEncoder(tokenizer, True, length).encode_prompts([text]) == [row["input_ids"]]


def test_a_decoder_is_cut_and_keeps_what_stands_before():
    tokenizer = char_tokenizer()
    special = [("<s>", 3), ("</s>", 1)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=special)
    (row,) = encode(ROWS[:1], max_length=3, tokenizer=tokenizer)
    assert row["input_ids"] == [3, *tokenizer("12", add_special_tokens=False)["input_ids"]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a", "target": None}, "Row 1 has the target None"),
        ({"prompt": "a", "target": math.nan}, "Row 1 has the target nan"),
        ({"prompt": "a", "target": math.inf}, "Row 1 has the target inf"),
        ({"prompt": "a", "target": 1e39}, r"Row 1 has the target 1e\+39, which is no finite float32"),
        ({"prompt": "a", "completion": "5 or 6"}, "Row 1 has no single number in its completion '5 or 6'"),
        ({"prompt": "a", "completion": "no idea"}, "Row 1 has no single number"),
        ({"prompt": "a", "completion": None}, "Row 1 has the target None"),
        ({"prompt": None, "target": 1.0}, "1 rows have no 'prompt' .null., the first of them row 2"),
        ({"prompt": "", "target": 1.0}, "The prompt of row 1 is empty"),
    ],
)
def test_rows_without_a_number_or_a_prompt_are_refused_by_number(row, message):
    good = {"prompt": "a", **({"target": 1.0} if "target" in row else {"completion": "1"})}
    with pytest.raises(ValueError, match=message):
        encode([good, row])


def test_whole_numbers_are_prompts_and_truth_values_no_targets():
    assert encode([{"prompt": 12, "target": 1}]) == encode([{"prompt": "12", "target": 1.0}])
    for rows in ([{"prompt": "a", "target": True}], [{"prompt": "a", "completion": True}]):
        with pytest.raises(ValueError, match="Row 0 has the target True, which is no number"):
            encode(rows)


def test_other_rows_that_are_refused():
    with pytest.raises(ValueError, match=r"columns \['text'\]; a regression head needs 'prompt' and 'target'"):
        encode([{"text": "5"}])
    with pytest.raises(ValueError, match=r"The prompt of row 0 has an end of text \(</s>\) within"):
        encode([{"prompt": "a</s>b", "target": 1.0}], True)
    with pytest.raises(ValueError, match="Prompt 1 is empty"):
        RegressionEncoder(char_tokenizer(), False).encode_prompts(["a", ""])


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_have_one_float_a_row(side):
    tokenizer = char_tokenizer(padding_side=side)
    rows = encode(ROWS)
    for given in (rows, Dataset.from_list(rows).with_format("torch")):
        batch = NumberCollator(tokenizer)(list(given))
        assert set(batch) == {"input_ids", "attention_mask", "labels"}
        assert batch["labels"].dtype == torch.float32 and batch["labels"].tolist() == [15.0, -2.5, 7.0]
        for i, row in enumerate(rows):
            size = len(row["input_ids"])
            assert batch["input_ids"][i, :size].tolist() == row["input_ids"]
            assert batch["attention_mask"][i].sum() == batch["attention_mask"][i, :size].sum() == size


# ---- The model ----


@pytest.mark.parametrize("kind", KINDS)
def test_base_weights_are_kept_and_the_head_comes_back(kind, tmp_path):
    scaling = NumberScaling("range", 200.0)
    model = load(kind, tmp_path / "base", scaling)
    assert is_regression_head(model.config) and not is_regression_head(tiny_model(kind).config)
    assert torch.equal(model.get_input_embeddings().weight, tiny_model(kind).get_input_embeddings().weight)
    model.save_pretrained(tmp_path / "head")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "head")
    assert is_regression_head(again.config) and NumberScaling.from_dict(again.config.number_scaling) == scaling
    tokenizer = char_tokenizer()
    prompts = RegressionEncoder(tokenizer, model.config.is_encoder_decoder).encode_prompts(
        ["12 + 3", "x", "the price"]
    )
    found = predict(model, tokenizer, prompts)
    assert predict(again, tokenizer, prompts) == pytest.approx(found, rel=1e-4)
    third = load_regression_head(str(tmp_path / "head"), tokenizer, scaling)
    assert predict(third, tokenizer, prompts) == pytest.approx(found, rel=1e-4)


def test_from_scratch_shares_the_shape_alone(tmp_path):
    model = load("llama", tmp_path, from_scratch=True, dtype=torch.float64)
    base = tiny_model().get_input_embeddings().weight
    assert model.get_input_embeddings().weight.shape == base.shape and model.dtype == torch.float64
    assert not torch.allclose(model.get_input_embeddings().weight.float(), base)
    assert is_regression_head(model.config)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_do_not_depend_on_the_batch_and_are_unscaled(kind, tmp_path):
    scaling = NumberScaling("range", 1000.0)
    model = load(kind, tmp_path, scaling).train()
    is_encoder_decoder = model.config.is_encoder_decoder
    # Padding on the left by default, as tokenizers of decoders do.
    tokenizer = char_tokenizer(padding_side="left")
    texts = ["12 + 3", "the price of 5", "7", "x = 123456789"]
    prompts = RegressionEncoder(tokenizer, is_encoder_decoder).encode_prompts(texts)
    found = predict(model, tokenizer, prompts, batch_size=3)
    assert model.training
    model.eval()
    for text, ids, value in zip(texts, prompts, found, strict=True):
        with torch.no_grad():
            scaled = model(input_ids=torch.tensor([ids])).logits
        assert value == pytest.approx(float(scaled) * 1000 / 5, rel=1e-3, abs=1e-3), text
    assert len(set(found)) == len(texts)
    assert predict(model, tokenizer, []) == []


def test_a_pipeline_gives_the_scaled_number(tmp_path):
    scaling = NumberScaling("range", 50.0)
    tokenizer = eos_tokenizer()
    model = load("t5", tmp_path, scaling, tokenizer)
    (found,) = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")(["12 + 3"])
    (wanted,) = predict(model, tokenizer, RegressionEncoder(tokenizer, True).encode_prompts(["12 + 3"]))
    assert found["score"] * 50 / 5 == pytest.approx(wanted, rel=1e-5)


def test_what_cannot_be_loaded_is_refused(tmp_path):
    with pytest.raises(ValueError, match="100 tokens and the model 64; take the model's own tokenizer"):
        load("llama", tmp_path, tokenizer=char_tokenizer("".join(map(chr, range(0x4E00, 0x4E00 + 96)))))
    with pytest.raises(ValueError, match="neither `pad_token` nor `eos_token`"):
        load("llama", tmp_path, tokenizer=char_tokenizer(pad_token=None, eos_token=None))
    load("llama", tmp_path / "base", NumberScaling("signed_log")).save_pretrained(tmp_path / "head")
    with pytest.raises(ValueError, match=r"trained with the scaling .*signed_log"):
        load_regression_head(str(tmp_path / "head"), char_tokenizer(), NumberScaling())


def test_the_padding_token_is_in_the_config(tmp_path):
    tokenizer = char_tokenizer(pad_token=None)
    model = load("gpt2", tmp_path / "a", tokenizer=tokenizer)
    assert model.config.pad_token_id == tokenizer.eos_token_id and tokenizer.pad_token is None
    model.save_pretrained(tmp_path / "b")
    assert json.loads((tmp_path / "b" / "config.json").read_text())["pad_token_id"] == tokenizer.eos_token_id
