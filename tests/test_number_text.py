"""`number_text`: what is read as which number, and what is not read at all."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.number_text import answer_number, find_numbers, read_number

NUMBERS = {
    "7": 7,
    "007": 7,
    "+7": 7,
    "-7": -7,
    "\N{MINUS SIGN}7": -7,
    " 7\n": 7,
    "1,250": 1250,
    "-1,250,000.75": -1250000.75,
    "1250": 1250,
    "-0.5": -0.5,
    ".5": 0.5,
    "-.5": -0.5,
    "5.": 5,
    "1.5.": 1.5,
    "1.5e6": 1_500_000,
    "2E-3": 0.002,
    "1e\N{MINUS SIGN}3": 0.001,
    "$12": 12,
    "$ 12": 12,
    "-$12": -12,
    "$-12": -12,
    "€3.50": 3.5,
    "£1,000": 1000,
    "$1,250.": 1250,
    "50%": 50,
    "50 %.": 50,
    "3/4": 0.75,
    "-3/4": -0.75,
    "1,000/8": 125,
    "1 1/2": 1.5,
    "-1 1/2": -1.5,
    "0/5": 0,
}
NOT_ONE_NUMBER = [
    *["", " ", ".", "-", "$", "%", "/", ",", "e5", "abc"],
    *["3-5", "3 - 5", "1 2", "- 5", "--5", "5-", "-$-5", "(5)", "5..", "..5"],
    *["1,25", "0,125", "1,2500", ",125", "1,,250", "1,250,3", "12,34,567", "1 250", "1_000"],
    *["1.2.3", "1..2", "1.5e", "1e1.5", "0x10", "5a", "a5", "2nd", "x = 5", "5 dollars"],
    *["٣", "５", "²", "½", "1½", "५"],
    *["nan", "inf", "-inf", "infinity", "NaN", "1e400", "-1e400", "9" * 400],
    *["1/0", "0/0", "1/2/3", "3/-4", "1.5/2", "1 1/0", "12:30", "2024-01-15", "5%%", "$$5", "5$"],
]


@pytest.mark.parametrize(("text", "number"), NUMBERS.items())
def test_a_number_is_read(text: str, number: float) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize("text", NOT_ONE_NUMBER)
def test_what_is_not_one_number_is_not_read(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(("text", "number"), NUMBERS.items())
def test_every_number_is_found_in_a_sentence(text: str, number: float) -> None:
    assert find_numbers(f"It is {text.strip()} then") == [number]
    assert find_numbers(f"x={text.strip()}, y") == [number]


IN_TEXT = {
    "3-5": [3, 5],
    "3 - 5": [3, 5],
    "3 -5": [3, -5],
    "50%-60%": [50, 60],
    "$3-$5": [3, 5],
    "12$-15$": [12, 15],
    "f(3)-5": [3, 5],
    "10-2-3": [10, 2, 3],
    "--5": [5],
    "from -3 to \N{MINUS SIGN}5": [-3, -5],
    "(-5)": [-5],
    "=-5": [-5],
    "x2 2nd 3D 10k 1_000 v1.2 GPT-4 H2O 5e 1½ 5²": [],
    "1.2.3, 127.0.0.1, 2024-01-15, 15-01-2024, 1/15/2024, 12:30, 1,25, 0,125, 1,2,3, 1/0, 1e400": [],
    "٣ ５": [],
    "1, 2, 3": [1, 2, 3],
    "(3/4, 1 1/2)": [0.75, 1.5],
    "a 5-year-old": [5],
    "wait...5": [5],
    "No.5": [5],
    "48/2 = 24.": [24, 24],
    "It costs $1,250.00, not 1.5e3!": [1250, 1500],
    "**5** \\boxed{6} $7$": [5, 6, 7],
    "7€": [7],
    "nothing": [],
    "": [],
}


@pytest.mark.parametrize(("text", "numbers"), IN_TEXT.items())
def test_numbers_in_free_text(text: str, numbers: list[float]) -> None:
    assert find_numbers(text) == numbers


ANSWERS = {
    "18": 18,
    "18 dollars": 18,
    "x = -3": -3,
    "The answer is 1,250.": 1250,
    "The answer is 3/4 of it": 0.75,
    "about 50% of them": 50,
    "1 1/2": 1.5,
    "x2 = 7": 7,
    "3-5": None,
    "5 + 0 = 5": None,
    "5 or 5": None,
    "- 5": None,
    "x - 5": None,
    "- 5 apples": None,
    "--5": None,
    "1,25": None,
    "version 1.2.3": None,
    "no number": None,
    "": None,
}


@pytest.mark.parametrize(("text", "number"), ANSWERS.items())
def test_an_answer_has_exactly_one_number(text: str, number: float | None) -> None:
    assert answer_number(text) == number


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.integers(-(10**300), 10**300))
def test_integers_are_read_with_and_without_separators(number: int) -> None:
    assert read_number(f"{number:,}") == read_number(str(number)) == float(number)


@given(FLOATS, st.integers(0, 20))
def test_decimals_and_exponents_are_read_as_python_reads_them(number: float, digits: int) -> None:
    for text in (repr(number), f"{number:,.{digits}f}", f"{number:.{digits}e}", f"{number:.{digits}G}"):
        expected = float(text.replace(",", ""))
        assert read_number(text) == (expected if math.isfinite(expected) else None)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**12))
def test_fractions_are_read(over: int, under: int) -> None:
    assert read_number(f"{over}/{under}") == over / under


@given(st.integers(0, 10**6), st.integers(0, 1000), st.integers(1, 1000), st.sampled_from(["", "-"]))
def test_mixed_numbers_are_read(whole: int, over: int, under: int, sign: str) -> None:
    size = read_number(f"{sign}{whole} {over}/{under}")
    assert size == pytest.approx((-1 if sign else 1) * (whole + over / under), rel=1e-15)


@given(st.text(alphabet="0123456789+-\N{MINUS SIGN}.,/eE$%€_: x٣", max_size=12))
def test_whatever_is_read_is_a_finite_number_and_found_in_the_text_as_well(text: str) -> None:
    number = read_number(text)
    assert all(math.isfinite(found) for found in find_numbers(text))
    if number is not None:
        assert math.isfinite(number)
        assert find_numbers(text) == [number]
        assert answer_number(text) == number


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=8))
def test_numbers_between_words_are_all_found_in_order(numbers: list[int]) -> None:
    assert find_numbers(" and ".join(f"{number:,}" for number in numbers)) == numbers


@pytest.mark.parametrize("piece", ["1", "1,111,", "1 ", "1/1", "-", "1.", "$", "1-", "1e1", ","])
def test_long_runs_take_linear_time(piece: str) -> None:
    start = time.perf_counter()
    text = piece * 20_000
    read_number(text), read_number(text + "x"), find_numbers(text + "x")
    assert time.perf_counter() - start < 5
