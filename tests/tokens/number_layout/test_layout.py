"""The scan for numbers against a slow reading of the text, on many kinds of tokenizers."""

from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ntl_hf.data.number_text import find_numbers
from ntl_hf.systems.regression_transformer.tokenizer import regression_transformer_tokenizer
from ntl_hf.tokens.number_layout import NumberLayout, NumberSyntax
from ntl_hf.tokens.number_layout.kinds import Kind, begins_word, kind_of
from ntl_hf.tokens.number_vocab import NumberVocab
from tests.downloads import real_tokenizer
from tests.syncs import CatchSyncs
from tests.tiny import CHARACTERS, char_tokenizer

from . import reference

MANY_CHARACTERS = CHARACTERS + "\n\t$%€£_[]{}:;\N{MINUS SIGN}é"
# Name of a tokenizer -> whether single digits alone are numbers.
TOKENIZERS = {"smollm2": True, "gpt2": False, "llama3": False, "t5": False, "sentencepiece-slow": False}


@cache
def characters() -> tuple[NumberSyntax, dict[str, int]]:
    tokenizer = char_tokenizer(MANY_CHARACTERS)
    return NumberSyntax.from_tokenizer(tokenizer, NumberVocab.from_tokenizer(tokenizer)), tokenizer.get_vocab()


@cache
def syntax_of(name: str, digits_only: bool) -> tuple[NumberSyntax, Any]:
    tokenizer = real_tokenizer(name)
    vocab = NumberVocab.from_tokenizer(tokenizer, digits_only)
    return NumberSyntax.from_tokenizer(tokenizer, vocab), tokenizer


def layout_of(rows: list[list[int]], syntax: NumberSyntax) -> NumberLayout:
    length = max(map(len, rows))
    return syntax.layout(torch.tensor([row + [-100] * (length - len(row)) for row in rows]))


def characters_layout(text: str) -> NumberLayout:
    syntax, ids = characters()
    return layout_of([[ids[c] for c in text]], syntax)


def read(layout: NumberLayout) -> list[float]:
    """The numbers of a layout, signed, in order."""
    scales = 10.0 ** layout.whole_digits.double()
    values = layout.total.double() * scales * torch.where(layout.is_negative, -1.0, 1.0)
    return values[layout.is_first].tolist()


EXACT = ("digits_before", "width", "whole_digits", "fraction_digits", "in_fraction", "is_negative", "place")


def check(
    layout: NumberLayout, wanted: list[reference.Place | None], offset: int = 0, tolerance: float = 2e-7
) -> None:
    for i, place in enumerate(wanted):
        at = offset + i
        if place is None:
            assert layout.number[at] == -1 and not layout.is_first[at] and layout.place[at] == 0, i
            continue
        assert layout.number[at] == offset + place.number, i
        assert bool(layout.is_first[at]) == (place.number == i)
        for name in EXACT:
            assert getattr(layout, name)[at].item() == getattr(place, name), (i, name)
        for name in ("prefix", "whole", "total"):
            found, exact = getattr(layout, name)[at].item(), float(getattr(place, name))
            # What has been read is the difference of two running sums over the row.
            assert found == pytest.approx(exact, rel=tolerance, abs=1e-12 if name == "prefix" else 0), (i, name)
        assert layout.is_readable[at]


# Texts of every kind

DIGITS = st.text("0123456789", min_size=1, max_size=7)
GROUPED = st.integers(1000, 10**10).map(lambda n: f"{n:,}")
PIECES = st.one_of(
    DIGITS,
    GROUPED,
    st.builds("{}.{}".format, DIGITS, DIGITS),
    st.builds("{}.{}".format, GROUPED, DIGITS),
    st.builds("{}.{}.{}".format, DIGITS, DIGITS, DIGITS),
    st.builds("{}-{}".format, DIGITS, DIGITS),
    st.builds(".{}".format, DIGITS),
    st.builds("-{}".format, DIGITS),
    st.sampled_from([" ", " ", "\n", "-", " -", ".", ",", "a", "ab ", "$", "(", ")", "%", "=", "_", "+", "é", ":"]),
    st.sampled_from(["\N{MINUS SIGN}", "- ", ", ", ". "]),
)
TEXTS = st.lists(PIECES, min_size=1, max_size=8).map("".join)
EXAMPLES = [
    *("12", "-5", "3-5", "1.2.3", "1,250", "-1,250,000.75", ".5", "-.5", "a.5", "1.", ".5.3", "1..2", "--5", "- 5"),
    *("1,25", "0,125", "1234,567", "1,2345", "1,234,56", ",125", "1.250,300", ".250,300", "1,250.5.3", "3-.5"),
    *("$-5", "x-5", "(5)-5", "5%-5", "= -5\n-6", "5\N{MINUS SIGN}6 \N{MINUS SIGN}7", "1 .5", "1,234.567,890"),
]


@settings(max_examples=150)
@given(text=TEXTS, data=st.data())
def test_any_text_character_by_character(text: str, data: st.DataObject) -> None:
    hidden = data.draw(st.sets(st.integers(0, len(text) - 1), max_size=2))
    check_characters(text, hidden)


@pytest.mark.parametrize("text", EXAMPLES)
def test_texts_of_interest(text: str) -> None:
    check_characters(text)
    for i in range(len(text)):
        check_characters(text, {i})


def check_characters(text: str, hidden: Any = ()) -> None:
    syntax, ids = characters()
    labels = [-100 if i in hidden else ids[c] for i, c in enumerate(text)]
    spans = [None if i in hidden else (i, i + 1) for i in range(len(text))]
    check(layout_of([labels], syntax), reference.layout(text, spans))


def test_the_reference_itself() -> None:
    found = {text: [str(number.text) for number in reference.find(text)] for text in EXAMPLES}
    assert found["1.2.3"] == found["a1.2.3"[1:]] == ["1", "2", "3"]
    assert found["-1,250,000.75"] == ["-1,250,000.75"] and found["3-5"] == ["3", "5"]
    assert found["-.5"] == ["-.5"] and found["a.5"] == ["5"] and found["1,25"] == ["1", "25"]
    assert found["= -5\n-6"] == ["-5", "-6"] and found["1 .5"] == ["1", ".5"] and found["3-.5"] == ["3", ".5"]


@settings(max_examples=60)
@given(texts=st.lists(TEXTS, min_size=2, max_size=4))
def test_rows_and_packed_documents_are_read_for_themselves(texts: list[str]) -> None:
    """Numbers end with their row, and where a document begins, whose first label a packed row has not."""
    syntax, ids = characters()
    rows = [[ids[c] for c in text] for text in texts]
    length = max(map(len, rows))
    layout = layout_of(rows, syntax)
    packed = layout_of([[id_ for row in rows for id_ in [*row, -100]]], syntax)
    start = 0
    for i, text in enumerate(texts):
        wanted = reference.layout(text, [(j, j + 1) for j in range(len(text))])
        check(layout, [*wanted, *[None] * (length - len(text))], i * length)
        check(packed, [*wanted, None], start)
        start += len(text) + 1


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=50)
@example(text="It is 5 .3 and -.5")
@example(text=" -12.5, 3-5 or 1.2.3; $1,250.50 = 66666666 00123")
@given(text=TEXTS)
def test_any_text_of_real_tokenizers(name: str, text: str) -> None:
    syntax, tokenizer = syntax_of(name, TOKENIZERS[name])
    ids, spans = spelled(name, tokenizer, text)
    check(layout_of([ids], syntax), reference.layout("".join(text for text, _ in spans), positions(spans)))


def spelled(name: str, tokenizer: Any, text: str) -> tuple[list[int], list[tuple[str, bool]]]:
    """Token ids, and what each writes; texts whose marks are parts of longer tokens are passed over."""
    ids = tokenizer.encode(text, add_special_tokens=False)
    assume(ids)
    written = [_written(token) for token in tokenizer.convert_ids_to_tokens(ids)]
    for piece in written:
        bare = piece.removeprefix(" ")
        assume(bare.isdigit() or len(bare) <= 1 or not any(c in bare[:-1] or c in bare for c in ".,-\N{MINUS SIGN}"))
        assume(bare.isdigit() or not any(c.isdigit() for c in bare))
    return ids, [(piece, True) for piece in written]


_BYTES = {"Ġ": " ", "▁": " ", "Ċ": "\n", "âĪĴ": "\N{MINUS SIGN}", "Ã©": "é", "âĤ¬": "€", "<unk>": "~"}


def _written(token: str) -> str:
    for mark, text in _BYTES.items():
        token = token.replace(mark, text)
    return "~" if token.startswith("<0x") else token


def positions(pieces: list[tuple[str, bool]]) -> list[tuple[int, int] | None]:
    spans, start = [], 0
    for piece, is_labelled in pieces:
        spans.append((start, start + len(piece)) if is_labelled else None)
        start += len(piece)
    return spans


# The grammar of answers

PLAIN = st.one_of(
    st.integers(0, 10**12).map(str),
    st.integers(1000, 10**12).map(lambda n: f"{n:,}"),
    st.builds("{}.{}".format, st.integers(0, 10**6), DIGITS),
    st.builds("{:,}.{}".format, st.integers(1000, 10**9), DIGITS),
    st.builds(".{}".format, DIGITS),
)
SIGNED = st.builds("{}{}".format, st.sampled_from(["", "", "-"]), PLAIN)
BETWEEN = st.sampled_from([" ", " and ", " = ", "; ", " (", ", ", "\n", ". ", " costs $", ": "])


@st.composite
def sentences(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(["", "so ", "= "]))
    for number in draw(st.lists(SIGNED, min_size=1, max_size=5)):
        text += number + draw(BETWEEN)
    return text.removesuffix("$")


# The SentencePiece model of the tests writes points and signs as bytes, which are no text.
@pytest.mark.parametrize("name", ["characters", "smollm2", "gpt2", "llama3"])
@settings(max_examples=60)
@given(text=sentences())
@example(text="3-5 ")
@example(text="so -1,250,000.75, not 12.5. ")
def test_where_the_grammar_of_answers_must_agree(name: str, text: str) -> None:
    assume("$-" not in text)  # a currency sign is an operand here, and may stand before a sign there
    assume("$." not in text and "(." not in text)  # here, a point begins a number after a space alone
    if name == "characters":
        found = read(characters_layout(text))
    else:
        syntax, tokenizer = syntax_of(name, TOKENIZERS[name])
        ids, _ = spelled(name, tokenizer, text)
        found = read(layout_of([ids], syntax))
    assert found == pytest.approx(find_numbers(text), rel=2e-7)


# Values


@pytest.mark.parametrize("digits", ["9" * 25, "1234567890" * 6, "0" * 25, "0." + "0" * 30 + "7", "1" + "0" * 59])
def test_long_numbers(digits: str) -> None:
    check_characters(digits)
    check_characters(f"a {digits} -{digits}")


def test_values_do_not_depend_on_where_a_number_stands() -> None:
    """Running sums over a batch are taken apart again."""
    syntax, ids = characters()
    text = "-1,234.5678 0.00000123 987654321012345678901234567890 "
    alone = characters_layout(text)
    row = [ids[c] for c in text]
    many = torch.tensor(row * 200).repeat(32, 1)
    layout = syntax.layout(many)
    n = len(row)
    inside = alone.number >= 0
    for name in ("whole", "total", "place", "is_negative", "digits_before"):
        found = getattr(layout, name).view(-1, n)[:, inside]
        assert torch.equal(found, getattr(alone, name)[inside].expand_as(found)), name
    found = layout.prefix.view(-1, n)[:, inside]
    torch.testing.assert_close(found, alone.prefix[inside].expand_as(found), rtol=2e-7, atol=1e-10)


def test_places_by_hand() -> None:
    layout = characters_layout("-1,234.56")
    assert layout.place.tolist() == [4, 3, 3, 2, 1, 0, 0, -1, -2]
    assert layout.prefix.tolist() == pytest.approx([0, 0, 0.1, 0.1, 0.12, 0.123, 0.1234, 0.1234, 0.12345])
    assert layout.whole[0].item() == pytest.approx(0.1234) and layout.total[0].item() == pytest.approx(0.123456)
    assert layout.kind.tolist() == [
        *(Kind.MINUS, Kind.DIGITS, Kind.COMMA, *[Kind.DIGITS] * 3, Kind.POINT, Kind.DIGITS, Kind.DIGITS),
    ]


@pytest.mark.parametrize(
    ("text", "alone"),
    [("5", [True]), ("-5", [False] * 2), (".5", [False] * 2), ("12", [False] * 2), ("5 6", [True, False, True])],
)
def test_alone(text: str, alone: list[bool]) -> None:
    assert characters_layout(text).is_alone.tolist() == alone


# Digits that are no number tokens


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("7", [True]),
        ("7 345 8", [True, True]),
        ("3457", [False]),
        ("67345", [False, False]),
        ("345.5", [False]),
        ("3.345", [False]),
        ("1,345", [False]),
        ("-1.2345", [False] * 4),
        ("345. 5", [True]),
        ("345, 5", [True]),
        ("345-5", [True]),
    ],
)
def test_numbers_with_opaque_digits_are_unreadable(text: str, readable: list[bool]) -> None:
    tokenizer = char_tokenizer([*MANY_CHARACTERS, "345"])
    ids, vocab = [], tokenizer.get_vocab()
    for i, part in enumerate(text.split("345")):
        ids += [vocab["345"]] * (i > 0) + [vocab[c] for c in part]
    layout = layout_of([ids], NumberSyntax.from_tokenizer(tokenizer, NumberVocab.from_tokenizer(tokenizer)))
    assert layout.is_readable[layout.number >= 0].tolist() == readable
    assert not layout.is_readable[layout.number < 0].any()


@pytest.mark.parametrize("text", ["It is 345", "12345", "3.145", "12.5", "1,250"])
def test_tokens_of_several_digits_that_do_not_count(text: str) -> None:
    syntax, tokenizer = syntax_of("llama3", True)
    layout = layout_of([tokenizer.encode(text, add_special_tokens=False)], syntax)
    assert not layout.is_readable.any()


# Kinds


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        *(
            ("-", Kind.MINUS),
            ("Ġ-", Kind.MINUS),
            ("▁-", Kind.MINUS),
            ("âĪĴ", Kind.MINUS),
            ("\N{MINUS SIGN}", Kind.MINUS),
        ),
        *((".", Kind.POINT), ("Ġ.", Kind.POINT), (",", Kind.COMMA), ("Ġ", Kind.SPACE), ("▁", Kind.SPACE)),
        *(
            ("Ċ", Kind.SPACE),
            (":Ċ", Kind.SPACE),
            ("\n", Kind.SPACE),
            ("<0x0A>", Kind.OTHER),
            ("<unused1>", Kind.OTHER),
        ),
        *(("abc", Kind.OPERAND), (")", Kind.OPERAND), ("$", Kind.OPERAND), ("(", Kind.OTHER), ("=", Kind.OTHER)),
        *(("345", Kind.OPAQUE), ("a5", Kind.OPAQUE), ("5a", Kind.OPAQUE), ("--", Kind.OPERAND), ("", Kind.OTHER)),
    ],
)
def test_kinds(token: str, kind: Kind) -> None:
    assert kind_of(token) == kind


# What is asked for and refused


def test_ids_that_no_token_has() -> None:
    syntax, ids = characters()
    layout = syntax.layout(torch.tensor([[ids["5"], -1, 10**9, -100, ids["6"], 2**40]]))
    assert layout.number.tolist() == [0, -1, -1, -1, 4, -1]


def test_a_single_column_and_an_empty_row() -> None:
    syntax, ids = characters()
    assert syntax.layout(torch.tensor([[ids["5"]], [ids["6"]]])).is_alone.all()
    assert len(syntax.layout(torch.zeros(2, 0, dtype=torch.int64)).number) == 0


def test_selected_rows() -> None:
    layout = characters_layout("12 34")
    part = layout.select(torch.tensor([3, 4]))
    assert part.number.tolist() == [3, 3] and part.place.tolist() == [1, 0]


def test_nothing_is_read_back_from_the_device() -> None:
    syntax, ids = characters()
    labels = torch.tensor([[ids[c] for c in "-1,234.5 1.2.3"]])
    syntax.layout(labels)  # the tables
    with CatchSyncs() as net:
        syntax.layout(labels).place  # noqa: B018
        syntax.layout(labels).is_alone  # noqa: B018
        syntax.watched_ids(labels.device)
    assert net.found == []


def test_marks_and_watched_ids() -> None:
    syntax, ids = characters()
    marks = dict(zip(syntax.mark_ids.tolist(), syntax.mark_kinds.tolist(), strict=True))
    assert marks == {
        ids["-"]: Kind.MINUS,
        ids["\N{MINUS SIGN}"]: Kind.MINUS,
        ids["."]: Kind.POINT,
        ids[","]: Kind.COMMA,
    }
    assert syntax.watched_ids(torch.device("cpu")).tolist() == [*syntax.vocab.ids.tolist(), *syntax.mark_ids.tolist()]
    assert syntax.widths.tolist() == [1] * 10


def test_widths_count_digits_and_not_marks() -> None:
    syntax, _ = syntax_of("gpt2", False)
    for token, width in zip(syntax.vocab.tokens, syntax.widths.tolist(), strict=True):
        assert width == len(token.removeprefix("Ġ"))


def test_a_tokenizer_that_lacks_a_digit_is_refused() -> None:
    tokenizer = char_tokenizer("01245678 .,-", unk_token="<unk>")
    with pytest.warns(UserWarning, match=r"\[3, 9\]"):
        vocab = NumberVocab.from_tokenizer(tokenizer)
    with pytest.raises(ValueError, match=r"lacks the digits \[3, 9\].*add_digit_tokens"):
        NumberSyntax.from_tokenizer(tokenizer, vocab)


def test_a_tokenizer_without_marks() -> None:
    tokenizer = char_tokenizer("0123456789 ")
    syntax = NumberSyntax.from_tokenizer(tokenizer, NumberVocab.from_tokenizer(tokenizer))
    assert len(syntax.mark_ids) == 0
    layout = syntax.layout(torch.tensor([[4, 5, 14, 6]]))
    assert layout.number.tolist() == [0, 0, -1, 3]


@pytest.mark.parametrize("text", ["7 and 1.5", "-12.25", "12 34", "5 3", "1,250 12 - 3"])
def test_word_piece(text: str) -> None:
    """Which marks what goes on with a word, and not what begins one."""
    marks = [mark + d for mark in ("", "##") for d in "0123456789"]
    vocab = {token: i for i, token in enumerate(["[UNK]", "and", ".", ",", "-", *marks])}
    core = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]")
    syntax = NumberSyntax.from_tokenizer(tokenizer, NumberVocab.from_tokenizer(tokenizer))
    layout = layout_of([tokenizer.encode(text, add_special_tokens=False)], syntax)
    assert read(layout) == pytest.approx(find_numbers(text))


@pytest.mark.parametrize(
    ("token", "kind", "begins"),
    [("=-", Kind.MINUS, True), ("Ġ(-", Kind.MINUS, True), ("-", Kind.MINUS, False), ("x-", Kind.OPERAND, False)],
)
def test_a_sign_with_what_opens_it(token: str, kind: Kind, begins: bool) -> None:
    assert (kind_of(token), begins_word(token)) == (kind, begins)


def test_numbers_of_a_regression_transformer() -> None:
    """Its digits carry their places, and its point and sign are tokens of their own."""
    tokenizer = regression_transformer_tokenizer(char_tokenizer(), (-2, 3))
    vocab = NumberVocab.from_tokenizer(tokenizer)
    syntax = NumberSyntax.from_tokenizer(tokenizer, vocab)
    for text in ("-12.5 and 3", "3-5", "007", "a 0.25 - 1000"):
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert read(layout_of([ids], syntax)) == pytest.approx(find_numbers(text)), text
