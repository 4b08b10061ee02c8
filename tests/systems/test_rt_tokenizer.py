"""The Regression Transformer's tokenizer: digits with their places, and text that comes back."""

import copy
import random
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, GPT2Config, LlamaConfig, LlamaTokenizer, PreTrainedTokenizerFast, T5Config

from ntl_hf.systems.regression_transformer.places import out_of_range_number
from ntl_hf.systems.regression_transformer.tokenizer import regression_transformer_tokenizer
from ntl_hf.tokens.digit_tokenizer import split_digits
from ntl_hf.tokens.placed_digits import NumberTokens, number_token_ids, number_token_names

from ..downloads import real_tokenizer
from ..number_strings import integer, number, sentence
from ..tiers import by_tier
from ..tiny import char_tokenizer

NAMES = ("gpt2", "t5", "smollm2", "llama3")
# Of bytes, as gpt2, but larger or with digits that stand alone; the other tests have them too.
SLOW = ("smollm2", "llama3")
PLACES = (-9, 12)
DIGIT = re.compile(r"_([0-9])_(-?[0-9]+)_")


@cache
def rt(name: str, places: tuple[int, int] = PLACES) -> PreTrainedTokenizerFast:
    return regression_transformer_tokenizer(real_tokenizer(name), places)


def ids_of(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)]


def there_and_back(tokenizer: Any, texts: list[str]) -> list[str]:
    return tokenizer.backend_tokenizer.decode_batch(ids_of(tokenizer, texts))


def written(text: str, name: str = "gpt2", places: tuple[int, int] = PLACES) -> str:
    return " ".join(rt(name, places).tokenize(text))


# Spelling, by hand


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # The two of the authors' README.
        ("0.3936", "_0_0_ _._ _3_-1_ _9_-2_ _3_-3_ _6_-4_"),
        ("12.3", "_1_1_ _2_0_ _._ _3_-1_"),
        ("007", "_0_2_ _0_1_ _7_0_"),
        (".5", "_._ _5_-1_"),
        ("5.", "_5_0_ ."),
        ("-0.5", "_-_ _0_0_ _._ _5_-1_"),
        ("-.5", "_-_ _._ _5_-1_"),
        ("1,000", "_1_0_ , _0_2_ _0_1_ _0_0_"),
        ("x2 2nd", "x _2_0_ Ġ _2_0_ nd"),
        ("1.2.3", "_1_0_ _._ _2_-1_ _._ _3_-1_"),
        ("1..5", "_1_0_ .. _5_0_"),
        ("3e-5", "_3_0_ e - _5_0_"),
        ("٣²", "Ù £ Â²"),
        # A sign, or not.
        ("3-5", "_3_0_ - _5_0_"),
        ("x-3", "x - _3_0_"),
        ("x -3", "x Ġ _-_ _3_0_"),
        ("(-5)-6", "( _-_ _5_0_ )- _6_0_"),
        ("50%-60%", "_5_1_ _0_0_ %- _6_1_ _0_0_ %"),
        ("--5", "-- _5_0_"),
        ("- 5", "- Ġ _5_0_"),
        ("$-5", "$ _-_ _5_0_"),
        ("2$-5$", "_2_0_ $ - _5_0_ $"),
        ("x_-5", "x _ _-_ _5_0_"),
        # Nearly names of tokens.
        ("a_1_1_", "a _ _1_0_ _ _1_0_ _"),
        ("_1_1_ ", "_ _1_0_ _ _1_0_ _ Ġ"),
        ("_1_13_", "_ _1_0_ _ _1_1_ _3_0_ _"),
        ("_..5", "_ .. _5_0_"),
    ],
)
def test_numbers_are_spelled_with_their_places(text: str, tokens: str) -> None:
    assert written(text) == tokens
    assert there_and_back(rt("gpt2"), [text]) == [text]


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("gpt2", "in Ġ _1_1_ _2_0_ Ġof Ġ _-_ _3_0_ Ġthe"),
        ("llama3", "in Ġ _1_1_ _2_0_ Ġof Ġ _-_ _3_0_ Ġthe"),
        ("t5", "▁in ▁ _1_1_ _2_0_ ▁of ▁ _-_ _3_0_ ▁the"),
    ],
)
def test_spaces_around_numbers_are_tokens(name: str, tokens: str) -> None:
    assert written("in 12 of -3 the", name) == tokens


def test_names_are_used_everywhere() -> None:
    tokenizer = rt("gpt2")
    ids = tokenizer("-1.5")["input_ids"]
    names = ["_-_", "_1_0_", "_._", "_5_-1_"]
    assert tokenizer.convert_ids_to_tokens(ids) == names
    assert tokenizer.convert_tokens_to_ids(names) == ids
    assert [tokenizer.get_vocab()[name] for name in names] == ids
    assert [tokenizer.decode([i]) for i in ids] == ["-", "1", ".", "5"]
    assert len(tokenizer) == len(real_tokenizer("gpt2")) + 221


# Digits beyond the places


@pytest.mark.parametrize(
    ("text", "places", "tokens"),
    [
        (
            "1234567890123",
            (-9, 12),
            "_1_12_ _2_11_ _3_10_ _4_9_ _5_8_ _6_7_ _7_6_ _8_5_ _9_4_ _0_3_ _1_2_ _2_1_ _3_0_",
        ),
        ("12345678901234", (-9, 12), "123 45 67 89 01 234"),
        ("123.45", (-1, 1), "123 _._ _4_-1_ 5"),
        ("12.345", (-1, 1), "_1_1_ _2_0_ _._ _3_-1_ 45"),
        ("1.5", (0, 0), "_1_0_ . 5"),
        ("_1234", (-9, 2), "_ 12 34"),
    ],
)
def test_digits_beyond_the_places_stay_pieces_of_the_base(text: str, places: tuple[int, int], tokens: str) -> None:
    assert written(text, "gpt2", places) == tokens
    assert there_and_back(rt("gpt2", places), [text]) == [text]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("of 1234 and 12345.6 or 99999", "12345.6"),
        ("1.2345", "1.2345"),
        ("x.2345", ".2345"),
        ("1234.234 1,000,000 1.2.3 1..2345", None),
        ("0001.500 00001", None),
        ("00001.5", None),
        ("000001", "000001"),
        ("no number", None),
    ],
)
def test_a_number_that_does_not_fit_is_found(text: str, found: str | None) -> None:
    places = (-3, 4) if "0000" in text else (-3, 3)
    assert out_of_range_number(text, places) == found


TRICKY = st.text(alphabet="0129._-_ x,$\n٣\U0010f100\U0010f101\U0010f164\U0010f165\U0010f166", max_size=16)
LONG = st.lists(st.sampled_from(["_", ".", "-", "0" * 12, "1", "12", " ", "a"]), max_size=8).map("".join)


@given(text=TRICKY | LONG)
@example(text="_1" + "2" * 13)
@pytest.mark.parametrize("places", [(-9, 12), (-2, 1), (0, 0)])
def test_what_fits_is_exactly_what_gets_places(text: str, places: tuple[int, int]) -> None:
    assume(not re.fullmatch(DIGIT, text))
    plain = [token for token in rt("gpt2", places).tokenize(text) if re.search("[0-9]", DIGIT.sub("", token))]
    assert bool(plain) == (out_of_range_number(text, places) is not None)


# Values and round trips


def value(tokens: Any) -> Decimal:
    digits = [DIGIT.fullmatch(token) for token in tokens if token not in ("_._", "_-_", "▁")]
    size = sum((Decimal(match[1]).scaleb(int(match[2])) for match in digits if match), Decimal(0))
    assert all(digits)
    return -size if "_-_" in tokens else size


@pytest.mark.parametrize("name", by_tier(NAMES, SLOW))
def test_ten_thousand_numbers_have_their_values_and_come_back(name: str) -> None:
    rng, tokenizer = random.Random(0), rt(name)
    numbers = [number(rng, before=13, after=9) for _ in range(10_000)]
    assert all(out_of_range_number(text, PLACES) is None for text in numbers)
    ids = ids_of(tokenizer, numbers)
    assert tokenizer.backend_tokenizer.decode_batch(ids) == numbers
    assert [value(tokenizer.convert_ids_to_tokens(row)) for row in ids] == [Decimal(text) for text in numbers]


@pytest.mark.parametrize("name", by_tier(NAMES, SLOW))
def test_texts_with_ten_thousand_numbers_of_any_length_come_back(name: str) -> None:
    rng = random.Random(1)
    # The small SentencePiece model knows the minus and the point of numbers with places alone.
    make = integer if name == "t5" else number
    texts = [sentence(rng, [make(rng) for _ in range(rng.randint(1, 4))]) for _ in range(4000)]
    assert there_and_back(rt(name), texts) == texts


@pytest.mark.parametrize("name", ["gpt2", "llama3"])
@given(text=st.text() | TRICKY | LONG)
@example(text="5\U0010f166\U0010f100 _\U0010f166\U0010f100")
@example(text="12345678901234\U0010f100")
def test_any_text_comes_back_from_bytes(name: str, text: str) -> None:
    assume(not ("_._" in text or "_-_" in text or re.fullmatch(DIGIT, text)))
    assert there_and_back(rt(name), [text]) == [text]


@given(text=st.text(alphabet="01234 \n▁aintrx", max_size=20))
@example(text=" 1  2\n3 ")
@example(text="a▁5 ▁6 ▁")
def test_text_comes_back_from_t5_as_from_the_base(text: str) -> None:
    assert there_and_back(rt("t5"), [text]) == there_and_back(real_tokenizer("t5"), [text])


WITHOUT_DIGITS = st.text().map(lambda text: "".join(c for c in text if c not in "0123456789"))
SPACES_AND_MARKS = st.text(alphabet="ain ▁Ġ\n\t\u3000\x85²٣<_-.", max_size=10)


@pytest.mark.parametrize("name", NAMES)
@given(text=WITHOUT_DIGITS | SPACES_AND_MARKS)
@example(text="the price</s> a<pad>  in ▁ of<unk>")
@example(text="\u2003a \x1c b\u180ec\u200bd")
def test_text_without_digits_gets_the_same_ids(name: str, text: str) -> None:
    assume(not ("_._" in text or "_-_" in text))
    assert ids_of(rt(name), [text]) == ids_of(real_tokenizer(name), [text])


@pytest.mark.parametrize(
    ("text", "back"),
    [("_5_0_", "5"), ("_5_-9_", "5"), ("_._", "."), ("_-_", "-"), ("a _._ b", "a . b"), ("-_-_-", "---")],
)
def test_text_that_is_a_name_comes_back_as_what_it_names(text: str, back: str) -> None:
    assert there_and_back(rt("gpt2"), [text]) == [back]


# Kinds of base tokenizers


def test_special_tokens_and_names_live_together() -> None:
    tokenizer = rt("t5")
    assert tokenizer.tokenize("<extra_id_1> 5 of<extra_id_2>7") == (
        ["<extra_id_1>", "▁", "_5_0_", "▁of", "<extra_id_2>", "▁", "_7_0_"]
    )
    assert tokenizer("5")["input_ids"][-1] == tokenizer.eos_token_id


def llama(vocab: dict[str, int], **kwargs: Any) -> LlamaTokenizer:
    merges = [("▁", "▁"), ("▁", "a"), ("▁", "b")]
    return LlamaTokenizer(vocab=vocab, merges=merges, unk_token="<unk>", bos_token="<s>", eos_token="</s>", **kwargs)


@pytest.mark.parametrize("legacy", [False, True])
def test_llamas_spaces_are_kept(legacy: bool) -> None:
    tokens = ["<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "▁b", "▁▁", "-", *"0123456789"]
    base = llama({token: i for i, token in enumerate(tokens)}, legacy=legacy)
    tokenizer = regression_transformer_tokenizer(base)
    texts = ["a 5 b", "a5b", "  a  12  b ", "5", " 5", "-5 a", "a</s>b 5</s> 6"]
    assert there_and_back(tokenizer, texts) == there_and_back(base, texts)
    plain = ["a b", " a", "  a  b ", "a</s>b</s> a", "▁a"]
    assert ids_of(tokenizer, plain) == ids_of(base, plain)


def test_a_tokenizer_that_writes_digit_by_digit_can_be_the_base() -> None:
    tokenizer = regression_transformer_tokenizer(split_digits(real_tokenizer("t5")))
    text = "in 12 of 12345678901234"
    assert tokenizer.tokenize(text) == ["▁in", "▁", "_1_1_", "_2_0_", "▁of", "▁", *"12345678901234"]
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_digits_are_read_after_the_normalizer_of_the_base() -> None:
    base = copy.deepcopy(real_tokenizer("t5"))
    base.backend_tokenizer.normalizer = normalizers.NFKC()
    assert regression_transformer_tokenizer(base).tokenize("in １２") == ["▁in", "▁", "_1_1_", "_2_0_"]


def test_added_tokens_of_the_base_are_still_found() -> None:
    base = copy.deepcopy(real_tokenizer("t5"))
    base.add_tokens([AddedToken("[X]", normalized=True), AddedToken("[Y1]", normalized=False)])
    tokenizer = regression_transformer_tokenizer(base)
    assert tokenizer.tokenize("in [X] 5[Y1]") == ["▁in", "▁", "[X]", "▁", "_5_0_", "[Y1]"]


def test_characters_can_be_the_base() -> None:
    tokenizer = regression_transformer_tokenizer(char_tokenizer(), (0, 3))
    assert tokenizer.tokenize("12+x=5") == ["_1_1_", "_2_0_", "+", "x", "=", "_5_0_"]
    assert tokenizer.decode(tokenizer.encode("12+x=5")) == "12+x=5"


@pytest.mark.parametrize(
    ("name", "config"),
    [("t5", None), ("t5", T5Config), ("gpt2", GPT2Config), ("gpt2", LlamaConfig)],
    ids=["t5-alone", "t5", "gpt2", "llama"],
)
def test_a_saved_tokenizer_comes_back_intact(name: str, config: Any, tmp_path: Path) -> None:
    tokenizer = rt(name)
    tokenizer.save_pretrained(tmp_path)
    if config is not None:
        config().save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert type(loaded) is PreTrainedTokenizerFast
    texts = ["in 12.5 of -7 and a123", " the  price\n<extra_id_1> 12345678901234", "_5_0_"]
    assert loaded(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert there_and_back(loaded, texts) == there_and_back(tokenizer, texts)
    assert loaded.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    assert NumberTokens.from_tokenizer(loaded) == NumberTokens.from_tokenizer(tokenizer)


def test_the_given_tokenizer_is_not_changed() -> None:
    base = copy.deepcopy(real_tokenizer("t5"))
    before = base.backend_tokenizer.to_str()
    regression_transformer_tokenizer(base)
    assert base.backend_tokenizer.to_str() == before


# Ids, digits and places


@pytest.mark.parametrize("places", [(-9, 12), (-2, 1), (0, 0), (-37, 37)])
def test_digit_and_place_follow_from_the_id(places: tuple[int, int]) -> None:
    tokenizer = rt("t5", places)
    tokens = NumberTokens.from_tokenizer(tokenizer)
    assert tokens == NumberTokens(len(real_tokenizer("t5")), *places)
    ids = torch.arange(-100, len(tokenizer) + 50)
    names: list[Any] = [
        None if i < 0 or i >= len(tokenizer) else tokenizer.convert_ids_to_tokens(i) for i in ids.tolist()
    ]
    matches = [name and DIGIT.fullmatch(name) for name in names]
    assert tokens.is_number(ids).tolist() == [bool(match) for match in matches]
    assert tokens.digit(ids).tolist() == [int(match[1]) if match else -1 for match in matches]
    assert tokens.place(ids).tolist() == [int(match[2]) if match else 0 for match in matches]
    assert tokens.digit(ids.view(1, -1)).shape == (1, len(ids)) and tokens.digit(ids).dtype == torch.int64
    assert [tokenizer.convert_ids_to_tokens(i) for i in number_token_ids(tokenizer)] == number_token_names(*places)


def test_a_piece_of_the_base_may_serve_as_the_sign() -> None:
    # GPT-2 has a piece `_-_`.
    assert rt("gpt2").convert_tokens_to_ids("_-_") == real_tokenizer("gpt2").convert_tokens_to_ids("_-_") == 31386
    assert rt("t5").convert_tokens_to_ids(["_._", "_-_"]) == [730, 731]


@pytest.mark.parametrize(
    "extra",
    [
        [],
        ["_1_0_"],
        [f"_{d}_0_" for d in range(10)],
        [*(f"_{d}_0_" for d in (0, 2, 1, 3, 4, 5, 6, 7, 8, 9)), "_._", "_-_"],
    ],
    ids=["none", "one", "no-signs", "other-order"],
)
def test_a_tokenizer_without_the_block_is_refused(extra: list[str]) -> None:
    tokenizer = char_tokenizer()
    tokenizer.add_tokens(extra)
    with pytest.raises(ValueError, match="no block of number tokens"):
        NumberTokens.from_tokenizer(tokenizer)


# What is refused


@pytest.mark.parametrize("places", [(1, 5), (-3, -1), (-38, 0), (0, 38), (5, -5)])
def test_places_that_make_no_sense_are_refused(places: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"`places` are .* must contain 0"):
        regression_transformer_tokenizer(char_tokenizer(), places)


def test_a_second_time_is_refused() -> None:
    with pytest.raises(ValueError, match=r"already.*use it as it is"):
        regression_transformer_tokenizer(rt("t5"))


def test_added_digit_tokens_are_refused() -> None:
    tokenizer = char_tokenizer("abc")
    tokenizer.add_tokens(list("0123456789"))
    with pytest.raises(ValueError, match="before `add_digit_tokens`"):
        regression_transformer_tokenizer(tokenizer)


@pytest.mark.parametrize("name", ["byt5", "sentencepiece-slow"])
def test_a_slow_tokenizer_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a fast one"):
        regression_transformer_tokenizer(real_tokenizer(name))


def test_a_decoder_that_puts_spaces_between_digits_is_refused() -> None:
    tokens = ["[UNK]", "in", "of", "5", "67", "."]
    core = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    with pytest.raises(ValueError, match="'in 5 of 67' comes back as 'in 5 of 6 7'"):
        regression_transformer_tokenizer(PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]"))
