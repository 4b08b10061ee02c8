"""Answers with one number in digits that say another number, or leave it open; and plain ones that must be read."""

import pytest

from ntl_hf.data.number_text import answer_number, find_numbers, read_number

NOT_READ = [
    *[r"\boxed{5}\boxed{6}", r"\(5\)\(6\)", r"\[5\]\[6\]", r"\text{5}\text{6}", r"\boxed{12}\boxed{34}"],
    *[r"\boxed{-5}\boxed{6}", "$2$,$300$", "$1$,$250$", r"\boxed{1},\boxed{250}", r"\(1\),\(250\)"],
    *["**1**,**250**", "*1*,*250*", "_1_,_250_", "`1`,`250`", r"\boxed{3}.\boxed{5}", "**1**.**5**"],
    *[r"\boxed{3}/\boxed{4}", "`4``2`", "a $5 T shirt", "$3 B movie", "14k gold", "401k", "4k video", "24k"],
    *["[1,200]", "{1,200}", r"\{1,200\}", "a = [1,200]", "[1,234,567]", r"\boxed{(1,234)}", "(x, y) = (3,400)"],
    *["(1,250)", "($1,250.00)", "($5)", "The loss is (1,250)", "5 (million)", "$ 5 (million)", "5 [million]"],
    *["5 (in millions)", "(in thousands): $5", "Revenue (in millions): 5", "5 in thousands", "5 pi", "3/4 pi"],
    *[r"5\\pi", "5 pi cm", r"5\mathrm{i}", "5 i", "5 xy", "5 ab", "5 (a+b)", "5 ln x", "5 sin x", r"5 \cdot x"],
    *["5~x", "5 · cost", "5 ** x", "5**x", "5 // n", "5 / cost", "5 - xy", "5 - cost", "5 -x", "π -5"],
    *[r"\pi -5", "xy -5", "α -5", "cost -5", "n x 5", "cost x 5", "x ^= 5", "x %= 5", "x &= 5", r"[5, \infty)"],
    *[r"(-\infty, 5]", "(x, 5)", "(5, x)", "min(x, 5)", "5 or x", r"x \not= 5", r"$\sqrt{x}$ $5$", "5 -> x"],
    *["5 out of ten", "5 of ten", "5 in ten", "one in 5", "one out of 5", "half past 5", "5 times three"],
    *["5 per mille", "5 per thousand", "5 apples and a half", "5-and-a-half", "5 & a half", "5 a half"],
    *["5 doubled", "5 halved", "half of my 10", "half of Tom's 10", "less than about 5", "twice as many as 5"],
    *["one hour and 30 minutes", "five apples and 6 pears", "ten, i.e. 5 pairs", "5 not six", "5, or more"],
    *["5 (or more)", "5 apples or more", "5 years or older", "5 dollars or less", "5 and up", "5 and above"],
    *["5 at least", "upwards of 5", "in excess of 5", "as many as 5", "exceeds 5", "just shy of 5"],
    *["5 dollars plus tax", "5 (negative)", "5, negative", "5 negative", "minus: 5", "(minus) 5", "neg 5"],
    *["is negative: 5", "42 degrees below zero", "menos 5", "moins 5", "meno 5", "negativo 5", "négatif 5"],
    *["минус 5", "负 5", "マイナス 5", "➖5", "¯5", "‾5", "˗5", "⁃5", "─5", "⸺5", "5 quintillion", "5 trn", "5 MM"],
    *["5 млн", "5 млрд", "5 тысяч", "5 тыс.", "5 Tsd.", "5 hundert", "5 miljoner", "5 miljoen", "5 milyon"],
    *["5 juta", "5 ribu", "5 triệu", "5 duizend", "5 tusen", "5 Dutzend", "5 docenas"],
    *["1. The answer is forty-two.", "Step 1: Add x and y.", "1) x", "1. Apples", "Question 3: what?"],
    *["<del>5</del>", "<s>5</s>", "<strike>5</strike>", "<msqrt><mn>5</mn></msqrt>", "5<sup>th</sup>", "$5$th"],
    *["101 in base two", "binary 101", "101 (binary)", "hex 10", "10 hex", "octal 10", "1.5*10^(5", "1e-400"],
    *["10^-400", "42 is wrong", "42 is not the answer", "anything but 42", "x |= 5", "\u202e42", "\u206242"],
]
READ = {
    "**42**!": 42,
    r"\boxed{42}!": 42,
    "$18!": 18,
    r"\boxed{5 \text{ m}}": 5,
    r"\boxed{5 \text{ m/s}}": 5,
    r"\boxed{5 \text{ million}}": 5000000.0,
    r"5\,\text{m}": 5,
    "(B) -5": -5,
    "B) -5": -5,
    "(A) 42": 42,
    "B: -5": -5,
    "---\n\n42": 42,
    "**Answer**\n\n---\n\n42": 42,
    "42<|im_end|>": 42,
    "∴ 42": 42,
    "x₁ = 42": 42,
    "5 Ω": 5,
    "a $20 t-shirt": 20,
    "$20 T-shirts": 20,
    "£5 t-shirts": 5,
    "$5 K-pop album": 5,
    "$20 T's": 20,
    "18": 18,
    "$1,250.": 1250,
    "The answer is 42.": 42,
    "18 dollars": 18,
    r"\boxed{42}": 42,
    "**42** apples": 42,
    "x = -3": -3,
    "3/4": 0.75,
    "50%": 50,
    "The temperature is -5 degrees": -5,
    "Sure! The answer is 42.": 42,
    "#### 18": 18,
    "So she makes $18 every day.": 18,
    r"Therefore, the answer is $\boxed{18}$.": 18,
    "It took him 5 hours in total.": 5,
    "He has 3 apples left": 3,
    "**Answer:** 42": 42,
    "The final answer is **$18**.": 18,
    r"Janet makes \$18 a day": 18,
    "| total | 5 |": 5,
    r"\[ \boxed{18} \]": 18,
    "= -5": -5,
    "equals -5": -5,
    "5 of them": 5,
    "5 in a row": 5,
    "I have 5 I think": 5,
    "5 am": 5,
    "about 5 or so": 5,
    "5 to go": 5,
    "5, and that is it": 5,
    "答案是 42。": 42,
    "18\n\nQuestion": 18,
    "3k": 3000,
    "$5 bn": 5000000000.0,
}


@pytest.mark.parametrize("text", NOT_READ)
def test_what_says_another_number_or_leaves_it_open_is_not_read(text: str) -> None:
    assert answer_number(text) is None
    assert read_number(text) is None


@pytest.mark.parametrize(("text", "number"), READ.items())
def test_plain_answers_are_read(text: str, number: float) -> None:
    assert answer_number(text) == number


def test_spaces_and_letters_that_are_words_make_no_magnitude() -> None:
    assert find_numbers("Sizes: $20 T-shirts and $5 mugs") == [20, 5]
    assert find_numbers(r"5  million and 5 \text{ million}") == [5e6, 5e6]
