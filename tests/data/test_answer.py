"""Where the final answer stands, and numbers written in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.data import clean_numbers, final_answer


@pytest.mark.parametrize(
    ("text", "mark", "answer"),
    [
        ("so\n#### 72", "####", "72"),
        ("#### 7\n#### 8", "####", "7"),
        ("#### 72\nQuestion: what else?", "####", "72"),
        ("####\n 72 ", "####", "72"),
        ("####", "####", ""),
        ("72", "####", None),
        ("", "####", None),
        (" 72\nand more ", None, "72\nand more"),
        ("The answer is 5.", "The answer is", "5."),
    ],
)
def test_final_answers(text, mark, answer):
    assert final_answer(text, mark) == answer


@given(
    st.text(st.characters(exclude_characters="#")),
    st.text(st.characters(categories=["L", "N"]), min_size=1),
    st.text(),
)
def test_what_follows_the_first_mark_is_found(before, answer, after):
    """A model that does not stop goes on with questions of its own, and answers them."""
    assert final_answer(f"{before}#### {answer}\n{after}", "####") == answer.strip()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("$1,250", "$1250"),
        ("1,234,567.89 and 1,000.", "1234567.89 and 1000."),
        ("5 650 000 cars", "5650000 cars"),
        ("467 000 - 450 000 = 17 000 people", "467000 - 450000 = 17000 people"),
        ("30*.5=15, 1.5*2", "30*0.5=15, 1.5*2"),
        (".75X = $19.50", "0.75X = $19.50"),
        ("1,25 and 12,3456 and 0.1.2", "1,25 and 12,3456 and 0.1.2"),
        ("10 20 300", "10 20300"),
        ("1,2,3,400", "1,2,3,400"),
        ("wait... 5", "wait... 5"),
        ("١,٢٣٤", "١,٢٣٤"),
    ],
)
def test_clean_numbers(text, clean):
    assert clean_numbers(text) == clean
    assert clean_numbers(clean) == clean


@given(st.integers(0, 10**12), st.sampled_from([",", " "]))
def test_groups_of_thousands_are_joined(number, separator):
    assert clean_numbers(f"about {number:,} in all".replace(",", separator)) == f"about {number} in all"
