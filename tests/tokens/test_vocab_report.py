"""`report_vocab`: every token with a digit is either a number or left out for a reason that is true."""

import unicodedata
import warnings
from collections import Counter
from functools import cache
from typing import Any

import pytest
from transformers import AddedToken

from ntl_hf.tokens.vocab_report import VocabReport, report_vocab
from tests.downloads import REAL_TOKENIZERS, real_tokenizer
from tests.tiny import char_tokenizer

DIGITS = "0123456789"
REASONS = {
    "several digits": ["10", "007", "123456"],
    "digit of another script": ["٣", "५", "５", "a٣"],
    "superscript, fraction or other numeral": ["²", "½", "①", "Ⅷ", "x²"],
    "sign": ["-5", "+12", "−3"],
    "decimal point": [".5", "5.", "1.25", "-0.5"],
    "exponent": ["1e3", "2E-5", "1.5e6"],
    "underscore": ["1_0", "10_000"],
    "mixed with letters": ["5a", "x5", "1e", "0x1F", "3rd", "v1.2"],
    "mixed with other characters": ["5%", "1,000", "$5", "5²", "[5]", "\n5", "  5", "3-4"],
    "byte fallback": ["<0x30>", "<0x39>"],
    "decodes to something else": ["Ġ5", "▁10"],
    "beyond float32": ["1" * 39],
}
# Nothing in these is a digit, though two have one in their name.
WITHOUT = ["a", " ", "%", "五", "é", "<0x41>", "<0xC3>", "inf"]


@cache
def real_report(name: str, digits_only: bool) -> VocabReport:
    return report_vocab(real_tokenizer(name), digits_only)


@pytest.mark.parametrize(
    ("token", "reason"), [(token, reason) for reason, tokens in REASONS.items() for token in tokens]
)
def test_reasons(token: str, reason: str) -> None:
    report = report_vocab(char_tokenizer([*DIGITS, token]), digits_only=reason == "several digits")
    assert report.left_out == {reason: [token]}
    assert len(report.numbers) == 10


@pytest.mark.parametrize("token", WITHOUT)
def test_tokens_without_digits_are_not_mentioned(token: str) -> None:
    assert report_vocab(char_tokenizer([*DIGITS, token])).left_out == {}


def test_reasons_are_ordered_by_their_number_of_tokens_and_tokens_by_id() -> None:
    report = report_vocab(char_tokenizer([*DIGITS, "½", "33", "22", "44", "5%", "6%"]))
    assert list(report.left_out.items()) == [
        ("several digits", ["33", "22", "44"]),
        ("mixed with other characters", ["5%", "6%"]),
        ("superscript, fraction or other numeral", ["½"]),
    ]


def test_special_tokens() -> None:
    tokenizer = char_tokenizer([*DIGITS, "<extra_5>", "<extra_a>"], pad_token="0")
    tokenizer.add_tokens([AddedToken("<extra_5>", special=True), AddedToken("<extra_a>", special=True)])
    report = report_vocab(tokenizer)
    assert report.left_out == {"special token": ["0", "<extra_5>"]}
    assert report.numbers.tokens == tuple(DIGITS[1:])


@cache
def tokens_with_digits(name: str) -> int:
    """How many tokens of the whole vocabulary have a digit of any kind in their text."""
    tokenizer = real_tokenizer(name)
    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))], clean_up_tokenization_spaces=False)
    # T5 and the slow tokenizer do not decode byte tokens: <0x41> has digits in its name alone.
    texts = [text for text in texts if not text.startswith("<0x")]
    return sum(any(unicodedata.category(c).startswith("N") for c in text) for text in texts)


@pytest.mark.parametrize("digits_only", [True, False])
@pytest.mark.parametrize("name", REAL_TOKENIZERS)
def test_every_token_with_a_digit_is_accounted_for(name: str, digits_only: bool) -> None:
    report = real_report(name, digits_only)
    left_out = sum(map(len, report.left_out.values()))
    if name in ("t5", "sentencepiece-slow"):
        left_out -= len(report.left_out["byte fallback"])
    assert len(report.numbers) + left_out == tokens_with_digits(name)
    assert report.problem is None and report.warnings == ()


@pytest.mark.parametrize(
    ("name", "digits_only", "counts", "examples"),
    [
        ("gpt2", True, {"several digits": 1671, "superscript, fraction or other numeral": 3}, [" ½", "Ġ2024"]),
        ("gpt2", False, {"superscript, fraction or other numeral": 3}, ["²"]),
        (
            "llama3",
            True,
            {
                "several digits": 1100,
                "special token": 251,
                "digit of another script": 88,
                "superscript, fraction or other numeral": 15,
            },
            # Byte-level token strings show none of these as they are.
            ["345", "<|reserved_special_token_5|>", "۱", "１", "²"],
        ),
        (
            "t5",
            False,
            {"byte fallback": 10, "special token": 10, "decodes to something else": 1, "digit of another script": 1},
            ["<0x35>", "<extra_id_5>", "Ġ5", "٣"],
        ),
        ("byt5", True, {"special token": 125}, ["<extra_id_5>"]),
    ],
)
def test_real_tokenizers(name: str, digits_only: bool, counts: dict[str, int], examples: list[str]) -> None:
    report = real_report(name, digits_only)
    assert {reason: len(tokens) for reason, tokens in report.left_out.items()} == counts
    assert set(examples) <= {token for tokens in report.left_out.values() for token in tokens}


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("gpt2", {"1234": ["12", "34"], " 1234.5": ["Ġ12", "34", ".", "5"]}),
        ("llama3", {"1234": ["123", "4"], " 1234.5": ["Ġ", "123", "4", ".", "5"]}),
        ("byt5", {"1234": list("1234"), " 1234.5": list(" 1234.5")}),
    ],
)
def test_how_numbers_are_cut(name: str, samples: dict[str, list[str]]) -> None:
    assert real_report(name, True).samples == samples


def test_summary() -> None:
    tokenizer = char_tokenizer(name_or_path="some/tokenizer")
    report = report_vocab(tokenizer)
    assert (report.name, report.size) == ("some/tokenizer", len(tokenizer))


@pytest.mark.parametrize(
    ("characters", "digits_only", "problem"),
    [("abc", True, "add_digit_tokens"), ("abc", False, "add_digit_tokens"), (["a", "10"], True, "digits_only=False")],
)
def test_no_numbers_is_a_finding_and_no_error(characters: Any, digits_only: bool, problem: str) -> None:
    report = report_vocab(char_tokenizer(characters), digits_only)
    assert report.numbers is None
    assert problem in report.problem
    assert Counter(map(len, report.left_out.values())) == ({} if characters == "abc" else {1: 1})


def test_missing_digits_are_reported_and_not_warned_about() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = report_vocab(char_tokenizer("012345678 "))
    assert len(report.warnings) == 1 and "[9]" in report.warnings[0]


@pytest.mark.parametrize("name", REAL_TOKENIZERS)
def test_the_tokenizer_is_not_changed(name: str) -> None:
    tokenizer = real_tokenizer(name)
    before = (tokenizer.get_vocab(), len(tokenizer), dict(tokenizer.added_tokens_decoder))
    report_vocab(tokenizer)
    assert (tokenizer.get_vocab(), len(tokenizer), dict(tokenizer.added_tokens_decoder)) == before
