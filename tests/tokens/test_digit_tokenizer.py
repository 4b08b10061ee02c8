"""`split_digits`: numbers digit by digit, everything else as before, and back again."""

import copy
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, GPT2Config, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, T5Config

from ntl_hf.tokens.digit_tokenizer import split_digits
from ntl_hf.tokens.number_vocab import NumberVocab
from tests.downloads import real_tokenizer
from tests.number_strings import integer, number, sentence
from tests.tiers import by_tier
from tests.tiny import char_tokenizer

SPLIT = ("gpt2", "t5", "llama3")


@cache
def split(name: str) -> PreTrainedTokenizerFast:
    return split_digits(real_tokenizer(name))


def ids_of(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)]


def there_and_back(tokenizer: Any, texts: list[str]) -> list[str]:
    return tokenizer.backend_tokenizer.decode_batch(ids_of(tokenizer, texts))


# Digits


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("gpt2", ["in", "Ġ", "2", "0", "2", "4", "Ġ", "7", "Ġand", "Ġa", "1", "2", "3"]),
        ("llama3", ["in", "Ġ", "2", "0", "2", "4", "Ġ", "7", "Ġand", "Ġa", "1", "2", "3"]),
        ("t5", ["▁in", "▁", "2", "0", "2", "4", "▁", "7", "▁and", "▁a", "1", "2", "3"]),
    ],
)
def test_every_digit_is_a_token(name: str, tokens: list[str]) -> None:
    text = "in 2024 7 and a123"
    assert real_tokenizer(name).tokenize(text) != tokens
    assert split(name).tokenize(text) == tokens


@pytest.mark.parametrize("name", by_tier(SPLIT, ["llama3"]))
def test_ten_thousand_texts_with_numbers_come_back(name: str) -> None:
    rng, tokenizer = random.Random(0), split(name)
    # The small SentencePiece model knows neither point nor minus.
    make = integer if name == "t5" else number
    numbers = [[make(rng) for _ in range(rng.randint(1, 4))] for _ in range(5000)]
    texts = [*(each[0] for each in numbers), *(sentence(rng, each) for each in numbers)]
    ids = ids_of(tokenizer, texts)
    assert tokenizer.backend_tokenizer.decode_batch(ids) == texts
    # As many digit tokens as digits: none is hidden in another piece.
    digits = {tokenizer.get_vocab()[digit] for digit in "0123456789"}
    assert [sum(i in digits for i in row) for row in ids] == [sum(map(str.isdigit, text)) for text in texts]


def test_the_number_loss_sees_every_digit() -> None:
    vocab, tokenizer = NumberVocab.from_tokenizer(split("gpt2")), split("gpt2")
    columns = vocab.columns(tokenizer("of 1234567", return_tensors="pt")["input_ids"][0])
    assert vocab.values[columns[columns >= 0]].tolist() == [1, 2, 3, 4, 5, 6, 7]


# Everything else


@pytest.mark.parametrize("name", SPLIT)
def test_vocabulary_and_settings_are_the_same(name: str) -> None:
    base = real_tokenizer(name)
    tokenizer = split(name)
    assert type(tokenizer) is PreTrainedTokenizerFast
    assert tokenizer.get_vocab() == base.get_vocab()
    assert tokenizer.added_tokens_decoder == base.added_tokens_decoder
    for setting in (
        *("special_tokens_map", "all_special_ids", "extra_special_tokens", "padding_side", "truncation_side"),
        *("model_max_length", "chat_template", "model_input_names", "clean_up_tokenization_spaces"),
    ):
        assert getattr(tokenizer, setting) == getattr(base, setting), setting
    # The post-processor's tokens, for one text and for two.
    assert tokenizer("a price", "the train")["input_ids"] == base("a price", "the train")["input_ids"]


def test_settings_that_are_not_the_defaults_are_kept() -> None:
    base = copy.deepcopy(real_tokenizer("gpt2"))
    base.padding_side = base.truncation_side = "left"
    base.model_max_length, base.chat_template = 77, "{{ messages[0].content }}"
    base.add_special_tokens({"pad_token": "<pad>", "extra_special_tokens": ["<one>", "<2>"]})
    base(["a", "a b c"], padding=True, truncation=True, max_length=2)
    tokenizer = split_digits(base)
    assert (tokenizer.padding_side, tokenizer.truncation_side, tokenizer.model_max_length) == ("left", "left", 77)
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hi 12"}], tokenize=False) == "hi 12"
    assert (tokenizer.pad_token, tokenizer.extra_special_tokens) == ("<pad>", ["<one>", "<2>"])
    # Special tokens with digits in their names stay whole, and the base's last call leaves nothing behind.
    assert tokenizer.tokenize("<one> <2> 22") == ["<one>", "Ġ", "<2>", "Ġ", "2", "2"]
    assert not {"max_length", "stride", "pad_to_multiple_of"} & tokenizer.init_kwargs.keys()


def test_special_tokens_of_a_model_keep_their_names() -> None:
    backend = real_tokenizer("t5").backend_tokenizer
    names = {"image_token": "<extra_id_0>", "end_of_image": "<extra_id_1>"}
    base = PreTrainedTokenizerFast(tokenizer_object=backend, model_specific_special_tokens=names)
    tokenizer = split_digits(base)
    assert (tokenizer.image_token, tokenizer.end_of_image) == ("<extra_id_0>", "<extra_id_1>")


def test_the_given_tokenizer_is_not_changed() -> None:
    base = copy.deepcopy(real_tokenizer("t5"))
    before = base.backend_tokenizer.to_str()
    split_digits(base)
    assert base.backend_tokenizer.to_str() == before


WITHOUT_DIGITS = st.text().map(lambda text: "".join(c for c in text if c not in "0123456789"))
SPACES_AND_MARKS = st.text(alphabet="a ▁Ġ\n\t\u3000\x85²٣<", max_size=10)


@pytest.mark.parametrize("name", SPLIT)
@given(text=WITHOUT_DIGITS | SPACES_AND_MARKS)
@example(text="the price, it's  over\n\n <extra_id> ½²٣")
def test_text_without_digits_gets_the_same_ids(name: str, text: str) -> None:
    assert ids_of(split(name), [text]) == ids_of(real_tokenizer(name), [text])


@pytest.mark.parametrize("name", SPLIT)
@given(text=st.text() | st.text(alphabet="0123456789 .,-a\n▁²", max_size=20))
@example(text=" 1  2\n3 ")
def test_text_comes_back_as_from_the_base(name: str, text: str) -> None:
    assert there_and_back(split(name), [text]) == there_and_back(real_tokenizer(name), [text])
    if name != "t5":
        assert there_and_back(split(name), [text]) == [text]


def test_normalizer_and_special_tokens_of_the_base_act_as_before() -> None:
    base = copy.deepcopy(real_tokenizer("t5"))
    base.backend_tokenizer.normalizer = normalizers.NFKC()
    tokenizer = split_digits(base)
    # Full-width digits are digits after the normalizer.
    assert tokenizer.tokenize("in １２ <extra_id_1>a") == ["▁in", "▁", "1", "2", "<extra_id_1>", "▁a"]


# Saving


def check_loaded(loaded: Any, tokenizer: Any) -> None:
    assert type(loaded) is PreTrainedTokenizerFast
    texts = ["in 2024 7 and a123", " the  price\n<extra_id_1> 12.50", "<|end_of_text|>1"]
    assert loaded(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert loaded.decode(loaded("in 2024")["input_ids"]) == tokenizer.decode(tokenizer("in 2024")["input_ids"])
    assert loaded.special_tokens_map == tokenizer.special_tokens_map
    assert loaded.extra_special_tokens == tokenizer.extra_special_tokens
    assert loaded.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


@pytest.mark.parametrize(
    ("name", "config"),
    [("t5", None), ("t5", T5Config), ("gpt2", GPT2Config), ("gpt2", LlamaConfig)],
    ids=["t5-alone", "t5", "gpt2", "llama"],
)
def test_a_saved_tokenizer_comes_back_intact_beside_a_config(name: str, config: Any, tmp_path: Path) -> None:
    split(name).save_pretrained(tmp_path)
    if config is not None:
        config().save_pretrained(tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["model_type"] == config.model_type
    check_loaded(AutoTokenizer.from_pretrained(tmp_path), split(name))


def test_the_plain_class_reads_it_beside_any_config(tmp_path: Path) -> None:
    # Beside this config, AutoTokenizer takes Qwen's own class.
    split("gpt2").save_pretrained(tmp_path)
    Qwen2Config().save_pretrained(tmp_path)
    check_loaded(PreTrainedTokenizerFast.from_pretrained(tmp_path), split("gpt2"))


# What is refused


def word_piece() -> PreTrainedTokenizerFast:
    tokens = ["[UNK]", "in", "of", *"0123456789", *(f"##{digit}" for digit in range(10)), "12", "##34"]
    core = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]")


@pytest.mark.parametrize("make", [char_tokenizer, lambda: real_tokenizer("smollm2"), lambda: split("gpt2")])
def test_a_tokenizer_that_writes_digits_already_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="already writes numbers digit by digit; use it as it is"):
        split_digits(make())


def test_a_tokenizer_without_a_digit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no tokens for the digits \['7', '9'\].*ntl_hf.add_digit_tokens"):
        split_digits(char_tokenizer("01234568abc"))


@pytest.mark.parametrize("name", ["byt5", "sentencepiece-slow"])
def test_a_slow_tokenizer_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a fast one"):
        split_digits(real_tokenizer(name))


def test_a_decoder_that_puts_spaces_between_digits_is_refused() -> None:
    with pytest.raises(ValueError, match="'1234567890' comes back as '1 2 3 4 5 6 7 8 9 0'"):
        split_digits(word_piece())


def test_an_added_token_of_several_digits_does_not_count() -> None:
    tokenizer = char_tokenizer()
    tokenizer.add_tokens([AddedToken("12")])
    with pytest.raises(ValueError, match="use it as it is"):
        split_digits(tokenizer)
