"""What the demo computes, against plain Python and against the library on the model's own logits."""

import math

import pytest
import torch
from torch.nn import functional as F

from ntl_hf import NTLoss

from .conftest import load

lens, shelf = load("lens"), load("shelf")
DIGITS, GROUPS, PIECES = shelf.EMBEDDED
WAS = next(iter(lens.LOSSES))


def test_numbers_and_the_true_number_are_found():
    reading = shelf.get_lens(DIGITS, True).read("Anna has 38 apples and 4 of 140 or 4.5, not 4, so 4!", "4")
    numbers = [token.value for token in reading.tokens if token.value is not None]
    assert numbers == [3, 8, 4, 1, 4, 0, 4, 5, 4, 4]
    # The last place that says 4, and not 140 or 4.5.
    assert reading.span == (len(reading.tokens) - 2, len(reading.tokens) - 1)
    assert reading.choices == (len(reading.tokens) - 2,)
    assert (
        "".join(token.shown for token in reading.tokens).replace("·", " ")
        == "Anna has 38 apples and 4 of 140 or 4.5, not 4, so 4!"
    )


@pytest.mark.parametrize(
    ("name", "digits_only", "values"),
    [
        (DIGITS, True, [3, 4, 5]),
        (DIGITS, False, [3, 4, 5]),
        (GROUPS, True, []),
        (GROUPS, False, [345]),
        (PIECES, True, [5]),
        (PIECES, False, [34, 5]),
    ],
)
def test_each_tokenizer_cuts_numbers_in_its_way(name, digits_only, values):
    reading = shelf.get_lens(name, digits_only).read("345*2=690", "345")
    assert [reading.tokens[i].value for i in reading.choices] == values


def test_decimals_are_numbers_around_a_point():
    reading = shelf.get_lens(DIGITS, True).read("It was 3.5 °C.", "3.5")
    assert [reading.tokens[i].value for i in reading.choices] == [3, 5]
    assert [token.shown for token in reading.tokens if token.in_number] == ["3", ".", "5"]


@pytest.mark.parametrize(("true", "confidence"), [(4, 0.9), (0, 0.5), (9, 0.99)])
def test_the_landscape_is_the_expected_distance(true, confidence):
    """Cross entropy and Wasserstein-1 of the described prediction, written out."""
    the = shelf.get_lens(DIGITS, True)
    reading = the.read(f"1+2={true}", str(true))
    points = the.landscape(reading, reading.choices[0], WAS, confidence)
    rest = (1 - confidence) / 9
    assert [point.value for point in points] == list(range(10))
    for point in points:
        probs = [confidence if digit == point.value else rest for digit in range(10)]
        assert point.is_true == (point.value == true)
        assert point.ce == pytest.approx(-math.log(probs[true]), rel=1e-5)
        assert point.ntl == pytest.approx(sum(p * abs(d - true) for d, p in enumerate(probs)), rel=1e-4)


@pytest.mark.parametrize("loss", lens.LOSSES)
@pytest.mark.parametrize("name", [DIGITS, GROUPS])
def test_every_loss_has_a_landscape_with_its_least_at_the_truth(name, loss):
    the = shelf.get_lens(name, False)
    reading = the.read("350+4=354", "354")
    for position in reading.choices:
        points = the.landscape(reading, position, loss, 0.99)
        assert 10 <= len(points) < 80 and all(math.isfinite(point.ntl) for point in points)
        (true,) = (point for point in points if point.is_true)
        # The hundredth that lies on the other numbers moves the expected value a little.
        assert true.ntl <= min(point.ntl for point in points) + 1e-2 * max(point.ntl for point in points)
        assert true.ce == min(point.ce for point in points)


@pytest.mark.parametrize("loss", lens.LOSSES)
def test_the_models_figures_are_those_of_a_training_step(loss):
    """Losses of the whole sentence with the tokenizer's own start, as a trainer computes them."""
    the, sentence = shelf.get_lens(DIGITS, True), "23+17=40"
    reading = the.read(sentence, "40")
    ids = torch.tensor([the.tokenizer(sentence)["input_ids"]])
    assert ids[0, 1:].tolist() == reading.ids.tolist()
    with torch.no_grad():
        logits = shelf.get_model()(ids).logits
    ntl = NTLoss(the.tokenizer, **lens.LOSSES[loss])
    numbers = ntl(logits, ids, shift=True, reduction="none")[0]
    crosses = F.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="none")
    expected, mass = ntl.predict_numbers(logits)
    for position in reading.choices:
        found = the.beliefs(reading, position, loss)
        # The logits at `position` predict the token after the start and `position` others.
        assert found.ce == pytest.approx(float(crosses[position]), rel=1e-4)
        assert found.ntl == pytest.approx(float(numbers[position]), rel=1e-4, abs=1e-6)
        assert found.expected == pytest.approx(float(expected[0, position]), rel=1e-4)
        assert found.mass == pytest.approx(float(mass[0, position]), rel=1e-4)
        assert sum(found.probs.values()) == pytest.approx(found.mass, rel=1e-4)
        assert found.mean_ce == pytest.approx(float(crosses[6:8].mean()), rel=1e-4)
        assert found.mean_ntl == pytest.approx(float(numbers[6:8].mean()), rel=1e-4)


def test_only_the_embedded_tokenizer_of_the_model_has_beliefs():
    the = shelf.get_lens(GROUPS, False)
    reading = the.read("23+17=40", "40")
    assert the.model is None and the.beliefs(reading, reading.choices[0], WAS) is None


def test_the_small_model_knows_some_digits():
    """Better than the even 2.30 nats a digit, on calculations that it was not trained on."""
    the, rows = shelf.get_lens(DIGITS, True), load("corpus").make_calculations("interpolate", max_rows=60)
    first = []
    for row in rows:
        a, sign, b = int(row["prompt"][:2]), row["prompt"][2], int(row["prompt"][3:5])
        answer = str(int(row["target"]))
        reading = the.read(f"{a}{sign}{b}={answer}", answer)
        first.append(the.beliefs(reading, reading.choices[0], WAS).ce)
    assert sum(first) / len(first) < 1.2


@pytest.mark.parametrize(
    ("sentence", "number", "message"),
    [
        ("", "40", "sentence is empty"),
        ("   ", "40", "sentence is empty"),
        ("23+17=40", "", "true number is empty"),
        ("23+17=40", "45", "does not say “45”"),
        ("23+17=140", "40", "does not say “40”"),
        ("It was 4.5.", "4", "does not say “4”"),
        ("no digits", "forty", "“forty” cannot be read as a number"),
        ("It was " + "9" * 31, "9" * 31, "has 31 characters. Write at most 30"),
        ("It was 1.2.3", "1.2.3", "cannot be read as a number"),
        ("1 " * 101, "1", "at most 200"),
        ("Zürich " * 20 + "1", "1", "tokens, and the small model reads 96"),
    ],
)
def test_bad_input_is_told(sentence, number, message):
    with pytest.raises(lens.InputError, match=message):
        shelf.get_lens(DIGITS, True).read(sentence, number)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody/nothing-of-that-name", "cannot be had"),
        ("", "no Hub id"),
        ("../tests", "no Hub id"),
        (str(shelf.HERE), "no Hub id"),
        ("a b", "no Hub id"),
    ],
)
def test_a_tokenizer_that_cannot_be_had_is_told(name, message):
    with pytest.raises(lens.InputError, match=message):
        shelf.get_lens(name, True)
