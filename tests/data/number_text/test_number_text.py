"""`number_text`: what is read as which number, and what is not read at all."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.data.number_text import answer_number, find_numbers, read_number

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
    **dict.fromkeys(["–7", "‑7", "‐7", "‒7", "－7", "﹣7", "&minus;7", "minus 7", "Negative 7"], -7),
    "½": 0.5,
    "3½": 3.5,
    "3 ½": 3.5,
    "-⅔": -2 / 3,
    "³⁄₄": 0.75,
    "3⁄4": 0.75,
    "5×10⁵": 5e5,
    "3x10^8": 3e8,
    "6.02 x 10^23": 6.02e23,
    "-1.6·10⁻¹⁹": -1.6e-19,
    "10^5": 1e5,
    "10**-3": 1e-3,
    "10<sup>5</sup>": 1e5,
    "1.5 million": 1.5e6,
    "1.1 million": 1_100_000,
    "10 thousand": 1e4,
    "2 hundred thousand": 2e5,
    "3/4 Million": 750_000,
    "3k": 3000,
    "$5M": 5e6,
    "-$2.5 bn": -2.5e9,
    "1\u00a0000\u00a0000": 1e6,
    "12\u202f345.5": 12345.5,
    "1\u2009000": 1000,
    "9{,}500": 9500,
    "10\\,000": 10_000,
    "1,\\!000": 1000,
    **dict.fromkeys(["_42_", "**42**", "*42*", "__42__", "`42`", "\\boxed{42}", "<b>42</b>", "\\textbf{42}"], 42),
    "\\frac{3}{4}": 0.75,
    "\\dfrac34": 0.75,
    "3\\frac12": 3.5,
    "-\\frac{1}{2}": -0.5,
    "\\frac{-3}{4}": -0.75,
    "\\boxed{\\frac{1,000}{8}}": 125,
    "\\boxed{10^{5}}": 1e5,
    "50\\%": 50,
    "\\$12": 12,
}
NOT_ONE_NUMBER = [
    *["", " ", ".", "-", "$", "%", "/", ",", "e5", "abc"],
    *["3-5", "3 - 5", "1 2", "- 5", "--5", "5-", "-$-5", "(5)", "5..", "..5"],
    *["1,25", "0,125", "1,2500", ",125", "1,,250", "1,250,3", "12,34,567", "1 250", "1_000"],
    *["1.2.3", "1..2", "1.5e", "1e1.5", "0x10", "5a", "a5", "2nd", "x = 5", "5 dollars"],
    *["٣", "５", "²", "५", "①", "Ⅳ", "3.７", "½5", "1/½"],
    *["5!", "±5", "+-5", "√4", "2π", "5²", "2^10", "10^5^2", "4 10/3", "|-5|", "−(5)", "minus -7", "--7"],
    *["5M", "5m", "5K", "5B", "5x", "1'000", "1.000.000", "5 dozen", "5 Millionen", "1e2×10^3", "0x1F"],
    *["\\sqrt{50}", "2\\pi", "\\frac{\\pi}{4}", "\\frac{4}{x}", "\\frac{1}{0}", "\\boxed{\\sqrt{2}}"],
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
    "x2 2nd 3D 10x 1_000 v1.2 GPT-4 H2O 5e 5² x^2 5! m^2": [],
    "1.2.3, 127.0.0.1, 2024-01-15, 15-01-2024, 1/15/2024, 12:30, 1,25, 0,125, 1,2,3, 1/0, 1e400": [],
    "٣ ５": [],
    "1, 2, 3": [1, 2, 3],
    "(3/4, 1 1/2)": [0.75, 1.5],
    "a 5-year-old": [5],
    "wait...5": [5],
    "No.5": [5],
    "48/2 = 24.": [24, 24],
    "It costs $1,250.00, not $1.5e3!": [1250, 1500],
    "20cm^2, 9.8m/s^2, 5 km², 5km, 90°, 20 °C, 5 m s^{-2}": [20, 9.8, 5, 5, 90, 20, 5],
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
    "* 5 apples": 5,
    "x = – 7": None,
    "the answer is minus 7": -7,
    "x minus 7": None,
    "US$5 million": 5e6,
    "-US$5": -5,
    "$\\boxed{18}$": 18,
    "<answer>18</answer>": 18,
    "x → 5": 5,
    "x=>5": 5,
    "3 ½ cups": 3.5,
    "1.5\\text{ million}": 1.5e6,
    "20cm^2": 20,
    "9.8m/s^2": 9.8,
    "5 km²": 5,
    "5km": 5,
    "60 mph": 60,
    "90^\\circ": 90,
    "5\\,\\text{cm}^2": 5,
    "an area in cm^2 of 7": 7,
    "$5/hour": 5,
    "5/day": 5,
    "a 5-year-old": 5,
    "On the 2nd day, GPT-4 had 7": 7,
    "$5!": 5,
    **dict.fromkeys(["1,25 or 7", "10x or 7", "at 12:30, 7", "٣ or 7", "½5 7", "① 7", "3 5ths"]),
    **dict.fromkeys(
        ["x + 5", "x*5", "5 * x", "5 - x", "5x", "5 x", "5/x", "x/5", "5(x)", "f(5)", "log(5)", "log_2 8"]
    ),
    **dict.fromkeys(["<5", "≥ 5", "> 5", "!= 5", "5+", "18+", "5-", "x -5", "-(5)", "|-5|", "~~5~~", "±5", "+/-5"]),
    **dict.fromkeys(["half of 10", "twice 5", "square root of 16", "less than 5", "not 5", "isn't 5", "point 5"]),
    **dict.fromkeys(
        ["5 and a half", "5 squared", "5 dozen", "5 quarters", "5 or more", "10 to the 5th", "5 point two"]
    ),
    **dict.fromkeys(["two or 3", "3 or four", "twenty 5", "5 Millionen", "5 mio", "5 万", "101 in binary", "5 e6"]),
    **dict.fromkeys(["0.333...", "0.\\overline{3}", "5̅", "101₂", "5 million-dollar houses", "5-million", "5.x", "5π"]),
    **dict.fromkeys(["\\frac{\\pi}{4}", "2\\pi", "\\sqrt{50}", "\\log 5", "x_{12}", "\\hat{5}", "5 \\mod x"]),
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
def test_mixed_numbers_are_read_with_a_proper_fraction(whole: int, over: int, under: int, sign: str) -> None:
    size = read_number(f"{sign}{whole} {over}/{under}")
    if over < under:
        assert size == pytest.approx((-1 if sign else 1) * (whole + over / under), rel=1e-15)
    else:
        assert size is None


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


@pytest.mark.parametrize(
    "piece",
    [
        *[
            "1",
            "1,111,",
            "\n",
            "\r\n",
            r"\(",
            r"\[1",
            "²",
            "1 ",
            "1/1",
            "-",
            "1.",
            "$",
            "1-",
            "1e1",
            ",",
            "10^",
            "1 million ",
            "1 m/",
            "x1.",
            "_",
            "*",
            "_1",
        ],
        *["**1", "<a b=c ", "\\\\text{", "\\\\frac{1}{1}", "1\u2009111", "^", "½", "&", "half of ", "(", "x-1"],
    ],
)
def test_long_runs_take_linear_time(piece: str) -> None:
    start = time.process_time()  # whatever else the machine does
    text = piece * (40_000 // len(piece))
    read_number(text), read_number(text + "x"), find_numbers(text + "x"), answer_number(text)
    assert time.process_time() - start < 5
