"""The loss of a whole number: what its tokens write together, against reading the text with each of them replaced."""

import itertools
import math
import re
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ntl_hf.losses.number_losses import number_probs
from ntl_hf.losses.whole_number import NUMBER_ERRORS, expected_errors
from ntl_hf.tokens.number_layout import NumberLayout, NumberSyntax
from ntl_hf.tokens.number_layout.kinds import Kind
from ntl_hf.tokens.number_vocab import NumberVocab

from ..downloads import real_tokenizer
from ..tiny import char_tokenizer
from .replacements import replaced, value

CHARACTERS = "0123456789 abc.,-\N{MINUS SIGN}"
MARKS = (Kind.POINT, Kind.COMMA, Kind.MINUS)
TEXT_OF = {Kind.POINT: ".", Kind.COMMA: ",", Kind.MINUS: "-"}


@cache
def characters() -> tuple[NumberSyntax, Any]:
    tokenizer = char_tokenizer(CHARACTERS)
    return NumberSyntax.from_tokenizer(tokenizer, NumberVocab.from_tokenizer(tokenizer)), tokenizer.get_vocab()


@cache
def syntax_of(name: str) -> tuple[NumberSyntax, Any]:
    tokenizer = real_tokenizer(name)
    return NumberSyntax.from_tokenizer(tokenizer, NumberVocab.from_tokenizer(tokenizer, digits_only=False)), tokenizer


def labels_of(text: str) -> Tensor:
    _, ids = characters()
    return torch.tensor([[ids[c] for c in text]])


def column_texts(syntax: NumberSyntax) -> list[str]:
    """What each column of the logits writes."""
    digits = [token.lstrip("Ġ▁") for token in syntax.vocab.tokens]
    return digits + [TEXT_OF[Kind(kind)] for kind in syntax.mark_kinds.tolist()]


def columns_of(syntax: NumberSyntax, labels: Tensor) -> Tensor:
    """The column of each label, `[n]`; -1 off the watched tokens."""
    watched = syntax.watched_ids(labels.device)
    hits = labels.reshape(-1, 1) == watched
    return torch.where(hits.any(1), hits.long().argmax(1), -1)


def errors_of(syntax: NumberSyntax, logits: Tensor, layout: NumberLayout) -> Tensor:
    return expected_errors(logits, layout, syntax.widths, syntax.vocab.values, syntax.mark_kinds)


def certain(columns: Tensor, size: int) -> Tensor:
    """Logits that put all mass on these columns; off the watched tokens they are equal."""
    logits = torch.zeros(len(columns), size)
    inside = columns >= 0
    logits[inside] = -math.inf
    return logits.scatter_(1, columns.clamp_min(0).unsqueeze(1), 0.0)


def check_replacements(syntax: NumberSyntax, ids: list[int], columns: list[int], tolerance: float) -> None:
    """Every token of a number replaced by each of some columns, the others right."""
    texts, labels = column_texts(syntax), torch.tensor([ids])
    true = columns_of(syntax, labels)
    tokens = [texts[c] for c in true.tolist()]
    y, unit = (
        value("".join(tokens).replace(",", "")),
        10 ** len(re.sub("[^0-9]", "", "".join(tokens).partition(".")[0])),
    )
    pairs = [(t, c) for t in range(len(ids)) for c in columns]
    layout = syntax.layout(labels.expand(len(pairs), -1))
    assert (layout.number.view(len(pairs), -1) == torch.arange(len(pairs)).unsqueeze(1) * len(ids)).all()
    guesses = true.repeat(len(pairs), 1)
    for row, (t, c) in enumerate(pairs):
        guesses[row, t] = c
    errors = errors_of(syntax, certain(guesses.flatten(), len(texts)), layout).view(len(pairs), -1)
    assert (errors == errors[:, :1]).all()
    for row, (t, c) in enumerate(pairs):
        u = replaced(tokens, t, texts[c])
        wanted, size = float((u - y) / unit), float(max(abs(u), abs(y)) / unit)
        if c == true[t]:
            assert errors[row, 0] == 0
        assert errors[row, 0].item() == pytest.approx(wanted, rel=tolerance, abs=tolerance * size), (
            tokens,
            t,
            texts[c],
        )


DIGITS = st.text("0123456789", min_size=1, max_size=6)
NUMBERS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "-"]),
    st.one_of(
        DIGITS,
        st.builds("{}.{}".format, DIGITS, DIGITS),
        st.builds(".{}".format, DIGITS),
        st.integers(1000, 10**8).map(lambda n: f"{n:,}"),
        st.builds("{:,}.{}".format, st.integers(1000, 10**7), DIGITS),
    ),
)


@settings(max_examples=60)
@given(text=NUMBERS)
@example(text="1,250")
@example(text="-1,250,000.75")
@example(text="-.5")
@example(text="1.2")
@example(text="0.000001")
@example(text="3.141592653589793")
@example(text="1234567890123456789012345")
def test_a_replaced_character(text: str) -> None:
    syntax, ids = characters()
    check_replacements(syntax, [ids[c] for c in text], list(range(len(syntax.vocab) + len(syntax.mark_ids))), 2e-6)


@pytest.mark.parametrize("name", ["gpt2", "llama3"])
@settings(max_examples=12)
@given(text=NUMBERS, data=st.data())
def test_a_replaced_token_of_several_digits(name: str, text: str, data: st.DataObject) -> None:
    syntax, tokenizer = syntax_of(name)
    ids = tokenizer.encode(text, add_special_tokens=False)
    assume(torch.isin(torch.tensor(ids), syntax.watched_ids(torch.device("cpu"))).all())
    # A replaced token of more than a few digits would be beyond what the size of the number resolves.
    short = [c for c, width in enumerate(syntax.widths.tolist()) if width <= 4]
    digits = data.draw(st.lists(st.sampled_from(short), min_size=5, max_size=20))
    marks = range(len(syntax.vocab), len(syntax.vocab) + len(syntax.mark_ids))
    # What follows a token moves by up to three places, with its rounding.
    check_replacements(syntax, ids, [*digits, *marks], 2e-4)


def test_replacements_by_hand() -> None:
    """The number that "1,250.5" becomes when one token is another."""
    tokens = list("1,250.5")
    cases = {
        (0, "7"): "7250.5",
        (0, "-"): "-250.5",
        (0, "."): "0.250",
        (1, "7"): "17250.5",
        (1, "."): "1.250",
        (1, "-"): "1",
        (2, "."): "1.50",
        (3, ","): "1250.5",
        (5, "7"): "125075",
        (5, ","): "1250",
        (6, "."): "1250",
        (6, "9"): "1250.9",
    }
    for (index, new), text in cases.items():
        assert replaced(tokens, index, new) == Fraction(text), (index, new)


# Expectations


def random_case(text: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, NumberLayout, Tensor]:
    """Random logits, the layout, and the columns of a text."""
    syntax, _ = characters()
    labels = labels_of(text)
    torch.manual_seed(seed)
    size = len(syntax.vocab) + len(syntax.mark_ids)
    return torch.randn(labels.numel(), size, dtype=dtype), syntax.layout(labels), columns_of(syntax, labels)


@pytest.mark.parametrize("text", ["7", "12", "305", "1.2", "-45", ".25", "-0.5", "1,250"])
def test_a_perfect_prediction_is_exact(text: str) -> None:
    syntax, _ = characters()
    _, layout, columns = random_case(f"ab {text} c")
    for logits in (certain(columns, 14), certain(columns, 14).clamp_min(-200.0)):
        errors = errors_of(syntax, logits, layout)
        assert torch.equal(errors, torch.zeros_like(errors))
        for measure in NUMBER_ERRORS.values():
            assert torch.equal(measure(errors, layout), torch.zeros_like(errors))


@pytest.mark.parametrize("text", ["7", "12", "305", "1.2", "-45", ".25", "-0.5", "1,250"])
def test_with_independent_digits_it_is_the_exact_expectation(text: str) -> None:
    """Over all numbers that the digits could write, each with its probability."""
    syntax, _ = characters()
    logits, layout, columns = random_case(text, dtype=torch.float64)
    is_digit = columns < 10
    logits = certain(columns, 14).double().where(~is_digit.unsqueeze(1), logits)
    logits[is_digit, 10:] = -math.inf
    probs = logits.softmax(-1)
    places = is_digit.nonzero().flatten().tolist()
    expected = 0.0
    for digits in itertools.product(range(10), repeat=len(places)):
        written = list(text)
        chance = 1.0
        for place, digit in zip(places, digits, strict=True):
            written[place] = str(digit)
            chance *= float(probs[place, digit])
        expected += chance * float(value("".join(written).replace(",", "")))
    y, unit = float(value(text.replace(",", ""))), 10.0 ** int(layout.whole_digits[0])
    assert errors_of(syntax, logits, layout)[0].item() == pytest.approx((expected - y) / unit, rel=1e-5, abs=1e-7)


def test_with_independent_tokens_of_one_width_too() -> None:
    syntax, tokenizer = syntax_of("llama3")
    labels = torch.tensor([tokenizer.encode("123456.789", add_special_tokens=False)])
    assert labels.shape == (1, 4)
    layout, columns = syntax.layout(labels), columns_of(syntax, labels)
    logits = certain(columns, len(syntax.vocab) + len(syntax.mark_ids)).double()
    expected = 0.0
    options = [[c for c in range(i, 1110, 400) if syntax.widths[c] == 3] for i in (500, 510, 520)]
    torch.manual_seed(0)
    for t, own in zip((0, 1, 3), options, strict=True):
        logits[t] = -math.inf
        logits[t, own] = torch.randn(len(own), dtype=torch.float64)
    probs = logits.softmax(-1)
    for a, b, c in itertools.product(*options):
        chance = float(probs[0, a] * probs[1, b] * probs[3, c])
        values = syntax.vocab.values[[a, b, c]].tolist()
        expected += chance * (values[0] * 1000 + values[1] + values[2] / 1000)
    error = errors_of(syntax, logits, layout)[0].item() * 1e6
    assert error == pytest.approx(expected - 123456.789, rel=1e-5)


def test_errors_of_tokens_add_up() -> None:
    syntax, _ = characters()
    logits, layout, columns = random_case("-1,234.56")
    whole = errors_of(syntax, logits, layout)[0]
    right = certain(columns, 14)
    one_at_a_time = [
        torch.where(torch.arange(len(columns)).unsqueeze(1) == t, logits, right) for t in range(len(columns))
    ]
    parts = [errors_of(syntax, each, layout)[0] for each in one_at_a_time]
    torch.testing.assert_close(whole, torch.stack(parts).sum(), rtol=1e-5, atol=1e-6)


# Errors


def python_error(name: str, e: float, y: float, unit: float) -> float:
    """With E and y as numbers, and a unit of the last place."""
    if name == "absolute":
        return abs(e - y)
    if name == "relative":
        return abs(e - y) / max(abs(e), abs(y), unit)
    signed = [math.copysign(math.log1p(abs(x) / unit), x) for x in (e, y)]
    return abs(signed[0] - signed[1])


@pytest.mark.parametrize("name", NUMBER_ERRORS)
@settings(max_examples=60)
@given(text=NUMBERS, seed=st.integers(0, 99), sharp=st.sampled_from([0.1, 1.0, 5.0]))
def test_measures_against_plain_python(name: str, text: str, seed: int, sharp: float) -> None:
    syntax, _ = characters()
    logits, layout, columns = random_case(text, seed, torch.float64)
    logits = sharp * logits
    tokens, texts = list(text), column_texts(syntax)
    probs = number_probs(logits)
    y = value(text.replace(",", ""))
    e = float(y) + sum(
        float(probs[t, c]) * float(replaced(tokens, t, texts[c]) - y)
        for t in range(len(tokens))
        for c in range(len(texts))
        if c != columns[t]
    )
    unit = 10.0 ** -len(text.partition(".")[2])
    found = NUMBER_ERRORS[name](errors_of(syntax, logits, layout), layout)[0].item()
    size = {"absolute": abs(e) + abs(float(y)), "relative": 1.0, "log": 1.0 + abs(math.log(unit))}[name]
    # A difference that all but vanishes is what is left of large ones.
    terms = max(abs(float(replaced(tokens, t, text_) - y)) for t in range(len(tokens)) for text_ in texts)
    slack = {"absolute": terms, "relative": terms / max(abs(e), abs(y), unit), "log": terms / (abs(e) + unit)}[name]
    wanted = python_error(name, e, float(y), unit)
    assert found == pytest.approx(wanted, rel=1e-5, abs=2e-6 * (size + slack))


@settings(max_examples=60)
@given(text=NUMBERS, seed=st.integers(0, 99), sharp=st.sampled_from([0.1, 3.0, 50.0]))
def test_the_relative_error_is_bounded(text: str, seed: int, sharp: float) -> None:
    syntax, _ = characters()
    logits, layout, _ = random_case(text, seed)
    errors = NUMBER_ERRORS["relative"](errors_of(syntax, sharp * logits, layout), layout)
    assert ((errors >= 0) & (errors <= 2 + 1e-6)).all()


EXTREMES = {
    "1e30": "1" + "0" * 30,
    "25 digits": "1234567890123456789012345",
    "60 digits": "123456789012345678901234567890123456789012345678901234567890",
    "nines": "9" * 38,
    "zero": "0",
    "zeros": "0.000",
    "a millionth": "0.000001",
    "pi": "3.14159265358979323846264338327950288419716939937510",
    "negative pi": "-3.14159265358979323846",
    "both sides": "12345678901234567890.12345678901234567890",
    "smallest": "." + "0" * 50 + "1",
    "small": "0." + "0" * 19 + "1",
}


@pytest.mark.parametrize("mass", ["even", "point", "minus", "nine", "impossible", "nearly right", "right", "huge"])
@pytest.mark.parametrize("name", NUMBER_ERRORS)
@pytest.mark.parametrize("text", EXTREMES)
def test_finite_at_extremes(text: str, name: str, mass: str) -> None:
    syntax, _ = characters()
    logits, layout, columns = random_case(EXTREMES[text])
    texts = column_texts(syntax)
    if mass == "impossible":
        logits[:, ::2] = -math.inf
    elif mass == "huge":
        logits = logits * 1e30
    elif mass == "nearly right":
        logits = logits + 30 * torch.nn.functional.one_hot(columns, len(texts))
    elif mass == "right":
        logits = certain(columns, len(texts))
    elif mass != "even":
        column = texts.index({"point": ".", "minus": "-", "nine": "9"}[mass])
        logits[:, column] = 1e4
    logits.requires_grad_()
    found = NUMBER_ERRORS[name](errors_of(syntax, logits, layout), layout)
    (gradient,) = torch.autograd.grad(1000 * found.sum(), logits)  # the largest scale of the balance
    assert found.isfinite().all() and (found >= 0).all()
    assert gradient.isfinite().all()
    if mass == "right":
        assert found.eq(0).all()
    elif mass in ("even", "nine") and set(EXTREMES[text]) != {"9"}:
        assert found.gt(0).all()
    if name == "relative":
        assert found.max() <= 2 + 1e-6


@pytest.mark.parametrize("name", NUMBER_ERRORS)
@pytest.mark.parametrize("text", ["7", "305 a 1.25", "-45", "1,250.5", "-.5"])
def test_gradients_by_finite_differences(text: str, name: str) -> None:
    syntax, _ = characters()
    logits, layout, _ = random_case(text, dtype=torch.float64)

    def loss(x: Tensor) -> Tensor:
        size = 10.0**layout.whole_digits if name == "absolute" else 1.0
        return NUMBER_ERRORS[name](errors_of(syntax, x, layout), layout) / size

    assert torch.autograd.gradcheck(loss, logits.requires_grad_(), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("other", [math.nan, math.inf, -math.inf, 100.0])
def test_other_numbers_and_text_do_not_leak_in(other: float) -> None:
    syntax, _ = characters()
    logits, layout, _ = random_case("a 12 b 3.5 c")
    changed, inside = logits.clone(), torch.tensor([False] * 2 + [True] * 2 + [False] * 8)
    number = slice(7, 10)
    changed[0], changed[5] = other, other  # off the numbers
    if math.isfinite(other):
        changed[number] = other * torch.randn(3, logits.shape[1])
    found = []
    for each in (logits, changed):
        leaf = each.clone().requires_grad_()
        errors = NUMBER_ERRORS["relative"](errors_of(syntax, leaf, layout), layout)
        assert (errors[~(layout.number >= 0)] == 0).all()
        (gradient,) = torch.autograd.grad(errors[inside].sum(), leaf)
        assert gradient[~inside].eq(0).all()
        found.append((errors[inside].detach(), gradient[inside]))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    assert found[0][0][0] == found[0][0][1] > 0
