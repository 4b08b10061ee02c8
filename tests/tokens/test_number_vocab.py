"""`NumberVocab`: which tokens of real and built tokenizers are numbers, what each is worth, and what never counts."""

import copy
import re
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AddedToken, PreTrainedTokenizerFast

from ntl_hf.tokens.number_vocab import NoNumberTokensError, NumberVocab
from tests.downloads import REAL_TOKENIZERS, real_tokenizer
from tests.tiny import CHARACTERS, char_tokenizer

DIGITS = "0123456789"
# Tokens that hold a digit, or that Python turns into a number, and are not numbers here.
NEVER = [
    *("1e3", "1E5", "1_0", "-5", "+5", "5.", ".5", "1.5", "1,000", "5a", "a5", "0x5", "5%", "(5", "inf", "nan"),
    *("٣", "५", "５", "²", "₂", "½", "①", "Ⅷ", "五", "5²", "5٣"),
    *("<0x35>", "[5]", "<5>", "  5", "\n5", "\t5", "▁▁5", "▁", "", "#5", "##5", "5</w>"),
]


def word_piece() -> PreTrainedTokenizerFast:
    tokens = ["[UNK]", "a", "##a", *DIGITS, *("##" + digit for digit in DIGITS), "12", "##34", "#7"]
    model = models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]")
    core = Tokenizer(model)
    core.pre_tokenizer, core.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]")


def end_of_word_bpe() -> PreTrainedTokenizerFast:
    tokens = ["<unk>", "a", "a</w>", *DIGITS, *(digit + "</w>" for digit in DIGITS), "12</w>"]
    vocab = {token: i for i, token in enumerate(tokens)}
    core = Tokenizer(models.BPE(vocab, [("1", "2</w>")], unk_token="<unk>", end_of_word_suffix="</w>"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.Whitespace(), decoders.BPEDecoder("</w>")
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


def metaspace() -> PreTrainedTokenizerFast:
    """As SentencePiece vocabularies are converted: `▁` is the space before a word."""
    tokens = ["<unk>", "▁", "a", "▁a", *DIGITS, *("▁" + digit for digit in DIGITS)]
    merges = [("▁", text) for text in ("a", *DIGITS)]
    core = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges, unk_token="<unk>"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


BUILT = {
    "word-piece": word_piece,
    "end-of-word-bpe": end_of_word_bpe,
    "metaspace": metaspace,
    "characters": char_tokenizer,
}


def tokenizer_named(name: str) -> Any:
    return BUILT[name]() if name in BUILT else real_tokenizer(name)


def as_dict(vocab: NumberVocab) -> dict[str, float]:
    return dict(zip(vocab.tokens, vocab.values.tolist(), strict=True))


# Digits


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("smollm2", {"": range(32, 42)}),
        ("gpt2", {"": range(15, 25), "Ġ": [657, 352, 362, 513, 604, 642, 718, 767, 807, 860]}),
        ("llama3", {"": range(15, 25)}),
        ("byt5", {"": range(51, 61)}),
        ("characters", {"": range(4, 14)}),
        ("word-piece", {"": range(3, 13), "##": range(13, 23)}),
    ],
)
def test_digit_tokens_have_exactly_these_ids_and_values(name: str, ids: dict[str, Any]) -> None:
    vocab = NumberVocab.from_tokenizer(tokenizer_named(name))
    expected = sorted((d, i, f"{mark}{d}") for mark, of_digit in ids.items() for d, i in enumerate(of_digit))
    assert vocab.values.tolist() == [value for value, _, _ in expected]
    assert vocab.ids.tolist() == [token_id for _, token_id, _ in expected]
    assert list(vocab.tokens) == [token for _, _, token in expected]
    assert (vocab.ids.dtype, vocab.values.dtype) == (torch.int64, torch.float32)
    assert len(vocab) == len(expected)


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ("gpt2", "Ġ{}"),
        ("t5", "▁{}"),
        ("sentencepiece-slow", "▁{}"),
        ("metaspace", "▁{}"),
        ("word-piece", "##{}"),
        ("end-of-word-bpe", "{}</w>"),
    ],
)
def test_a_digit_with_its_mark_is_worth_the_digit(name: str, marked: str) -> None:
    expected = {form.format(digit): float(digit) for digit in DIGITS for form in ("{}", marked)}
    assert as_dict(NumberVocab.from_tokenizer(tokenizer_named(name))) == expected


def test_a_space_kept_in_the_token_is_a_mark() -> None:
    vocab = as_dict(NumberVocab.from_tokenizer(char_tokenizer([*DIGITS, " 5", "Ġ5", " 12"])))
    # In a vocabulary that writes spaces as they are, `Ġ` is a letter.
    assert vocab == {**{digit: float(digit) for digit in DIGITS}, " 5": 5.0}


# Several digits


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("llama3", 1110, {"0": 0, "00": 0, "000": 0, "007": 7, "345": 345, "999": 999}),
        ("gpt2", 1691, {"345": 345, "Ġ2024": 2024, "Ġ00": 0, "66666666": 66666666, "Ġ5": 5, "5": 5}),
        ("smollm2", 10, {"5": 5}),
        ("word-piece", 22, {"12": 12, "##34": 34}),
        ("end-of-word-bpe", 21, {"12</w>": 12}),
    ],
)
def test_several_digits_on_request(name: str, count: int, some: dict[str, int]) -> None:
    tokenizer = tokenizer_named(name)
    vocab = NumberVocab.from_tokenizer(tokenizer, digits_only=False)
    assert len(vocab) == count
    values = as_dict(vocab)
    # float32 holds 66666666 as 66666664: the nearest one.
    assert {token: values[token] for token in some} == {t: torch.tensor(float(v)).item() for t, v in some.items()}
    token_of = {i: token for token, i in tokenizer.get_vocab().items()}
    assert [token_of[i] for i in vocab.ids.tolist()] == list(vocab.tokens)


@pytest.mark.parametrize("name", ["llama3", "gpt2", "t5", "sentencepiece-slow"])
def test_every_token_of_several_digits_is_found_and_worth_what_it_writes(name: str) -> None:
    tokenizer = real_tokenizer(name)
    written = {token: re.fullmatch("[Ġ▁]?([0-9]+)", token) for token in tokenizer.get_vocab()}
    expected = {token: torch.tensor(float(match[1])).item() for token, match in written.items() if match}
    # The user-defined symbol `Ġ5` of the SentencePiece model is two characters, not a marked 5.
    if name in ("t5", "sentencepiece-slow"):
        assert expected.pop("Ġ5") == 5
    assert as_dict(NumberVocab.from_tokenizer(tokenizer, digits_only=False)) == expected


def test_tokens_are_ordered_by_value_then_id() -> None:
    vocab = NumberVocab.from_tokenizer(real_tokenizer("gpt2"), digits_only=False)
    entries = list(zip(vocab.values.tolist(), vocab.ids.tolist(), strict=True))
    assert entries == sorted(entries)


def test_a_value_beyond_float32_is_no_number() -> None:
    longest, too_long = "9" * 38, "9" * 39
    vocab = NumberVocab.from_tokenizer(char_tokenizer([*DIGITS, longest, too_long]), digits_only=False)
    assert longest in vocab.tokens and too_long not in vocab.tokens
    assert vocab.values.isfinite().all()


# Numbers in text: what the tokenizer writes, the vocabulary reads back


@cache
def tokenizer_and_vocab(name: str, digits_only: bool) -> tuple[Any, NumberVocab]:
    return tokenizer_named(name), NumberVocab.from_tokenizer(tokenizer_named(name), digits_only)


@pytest.mark.parametrize(
    ("name", "digits_only"),
    [
        ("smollm2", True),
        ("byt5", True),
        ("characters", True),
        ("llama3", False),
        ("gpt2", False),
        ("t5", False),
        ("sentencepiece-slow", False),
    ],
)
@given(number=st.integers(0, 10**30))
@example(number=0)
@example(number=1007)
@example(number=2000007)
def test_the_tokens_of_a_number_spell_it(name: str, digits_only: bool, number: int) -> None:
    tokenizer, vocab = tokenizer_and_vocab(name, digits_only)
    for text in (str(number), f" {number}"):
        columns = vocab.columns(torch.tensor(tokenizer.encode(text, add_special_tokens=False)))
        found = [(vocab.tokens[c], vocab.values[c].item()) for c in columns.tolist() if c >= 0]
        # Zeros in front of a piece are part of the number around it.
        pieces = [f"{int(value)}".zfill(sum(map(str.isdigit, token))) for token, value in found]
        assert "".join(pieces) == str(number)


# What never counts


@pytest.mark.parametrize("digits_only", [True, False])
@pytest.mark.parametrize("token", NEVER)
def test_never_a_number(token: str, digits_only: bool) -> None:
    vocab = NumberVocab.from_tokenizer(char_tokenizer([*DIGITS, token]), digits_only)
    assert vocab.tokens == tuple(DIGITS)


@pytest.mark.parametrize("digits_only", [True, False])
@pytest.mark.parametrize("name", REAL_TOKENIZERS)
def test_real_tokenizers_have_no_other_digits(name: str, digits_only: bool) -> None:
    tokenizer = real_tokenizer(name)
    vocab = NumberVocab.from_tokenizer(tokenizer, digits_only)
    # T5's and ByT5's `<extra_id_5>`, Llama's `<|reserved_special_token_5|>`, byte fallback, other scripts.
    texts = tokenizer.batch_decode([[i] for i in vocab.ids.tolist()], clean_up_tokenization_spaces=False)
    assert all(re.fullmatch(" ?[0-9]+", text) for text in texts)
    assert set(texts) >= set(DIGITS)


@pytest.mark.parametrize("name", ["t5", "sentencepiece-slow"])
@pytest.mark.parametrize("token", ["<0x35>", "Ġ5", "٣"])
def test_sentencepiece_oddities_are_in_the_vocabulary_and_do_not_count(name: str, token: str) -> None:
    tokenizer = real_tokenizer(name)
    assert token in tokenizer.get_vocab()
    assert token not in NumberVocab.from_tokenizer(tokenizer, digits_only=False).tokens


def test_special_tokens_are_no_numbers_and_added_ones_are() -> None:
    tokenizer = char_tokenizer([*DIGITS, "10", "11"], pad_token="0")
    tokenizer.add_tokens([AddedToken("10", special=True), AddedToken("77")])
    with pytest.warns(UserWarning, match=r"\[0\]"):
        vocab = NumberVocab.from_tokenizer(tokenizer, digits_only=False)
    assert vocab.tokens == (*DIGITS[1:], "11", "77")


# Labels to columns


def test_columns_of_labels_beyond_the_tokenizer_and_ignored_ones() -> None:
    tokenizer = char_tokenizer()
    vocab = NumberVocab.from_tokenizer(tokenizer)
    text_id, padded = tokenizer.convert_tokens_to_ids("a"), len(tokenizer) + 100
    labels = torch.tensor([[-100, -1, 0, text_id], [padded, 2**40, int(vocab.ids.max()), int(vocab.ids.max()) + 1]])
    assert vocab.columns(labels).tolist() == [[-1, -1, -1, -1], [-1, -1, len(vocab) - 1, -1]]


def test_an_ignored_label_is_not_token_zero() -> None:
    vocab = NumberVocab(ids=torch.tensor([0, 2]), values=torch.tensor([5.0, 6.0]), tokens=("5", "6"))
    assert vocab.columns(torch.tensor([-100, -1, 0, 1, 2, 3])).tolist() == [-1, -1, 0, -1, 1, -1]


@pytest.mark.parametrize("name", ["gpt2", "llama3", "byt5"])
def test_columns_invert_ids(name: str) -> None:
    tokenizer = real_tokenizer(name)
    vocab = NumberVocab.from_tokenizer(tokenizer, digits_only=False)
    columns = vocab.columns(torch.arange(len(tokenizer) + 10))
    assert columns[vocab.ids].tolist() == list(range(len(vocab)))
    assert int((columns >= 0).sum()) == len(vocab)


def test_check_fits() -> None:
    vocab = NumberVocab.from_tokenizer(char_tokenizer())
    enough = int(vocab.ids.max()) + 1
    vocab.check_fits(enough)
    vocab.check_fits(enough + 1000)
    for size, outside in ((enough - 1, r"\['9'\]"), (enough - 2, r"\['8', '9'\]")):
        with pytest.raises(ValueError, match=rf"{size} logits.*{outside}.*resize_token_embeddings"):
            vocab.check_fits(size)


# Tokenizers that lack something


@pytest.mark.parametrize("digits_only", [True, False])
def test_no_number_tokens_names_the_way_out(digits_only: bool) -> None:
    tokenizer = char_tokenizer("abc ", name_or_path="some/tokenizer")
    with pytest.raises(NoNumberTokensError, match=r"'some/tokenizer' has no number tokens.*add_digit_tokens"):
        NumberVocab.from_tokenizer(tokenizer, digits_only)


def test_only_tokens_of_several_digits_names_the_setting(recwarn: pytest.WarningsRecorder) -> None:
    tokenizer = char_tokenizer(["a", "10", "11", "345"])
    with pytest.raises(NoNumberTokensError, match=r"3 tokens of several digits \(10, 11, 345.*`digits_only=False`"):
        NumberVocab.from_tokenizer(tokenizer)
    assert not recwarn.list, "the error says it all"
    with pytest.warns(UserWarning, match="no token for the digits"):
        assert NumberVocab.from_tokenizer(tokenizer, digits_only=False).values.tolist() == [10, 11, 345]


def test_missing_digits_warn() -> None:
    with pytest.warns(UserWarning, match=r"no token for the digits \[3, 9\]"):
        vocab = NumberVocab.from_tokenizer(char_tokenizer("01245678 abc"))
    assert vocab.values.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [*REAL_TOKENIZERS, *BUILT])
def test_whole_vocabularies_do_not_warn(name: str) -> None:
    NumberVocab.from_tokenizer(tokenizer_named(name))


# The tokenizer itself


def _state(tokenizer: Any) -> tuple[Any, ...]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return (
        tokenizer.get_vocab(),
        len(tokenizer),
        copy.deepcopy(tokenizer.added_tokens_decoder),
        list(tokenizer.all_special_tokens),
        backend and backend.to_str(),
    )


@pytest.mark.parametrize("name", [*REAL_TOKENIZERS, *BUILT])
def test_the_tokenizer_is_not_changed(name: str) -> None:
    tokenizer = tokenizer_named(name)
    before = _state(tokenizer)
    for digits_only in (True, False):
        NumberVocab.from_tokenizer(tokenizer, digits_only)
    assert _state(tokenizer) == before


def test_the_tokenizer_is_not_changed_by_the_error() -> None:
    tokenizer = char_tokenizer("abc")
    before = _state(tokenizer)
    with pytest.raises(NoNumberTokensError):
        NumberVocab.from_tokenizer(tokenizer)
    assert _state(tokenizer) == before


def test_a_processor_stands_for_its_tokenizer() -> None:
    processor = SimpleNamespace(tokenizer=char_tokenizer(CHARACTERS))
    assert NumberVocab.from_tokenizer(processor).tokens == tuple(DIGITS)


def test_forms_are_what_tokens_look_like_but_for_their_digits() -> None:
    vocab = NumberVocab(torch.arange(6), torch.arange(6.0), ("5", "Ġ5", "7", "Ġ12", "Ġ90", "007"))
    forms = vocab.forms.tolist()
    assert forms[0] == forms[2] and forms[3] == forms[4]
    assert len(set(forms)) == 4
