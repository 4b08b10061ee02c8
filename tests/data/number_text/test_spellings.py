"""Whatever the spelling: the number that a person reads, or none."""

import math

from hypothesis import given, settings

from ntl_hf.data.number_text import answer_number, find_numbers, read_number

from .spelling import Spelled, answers, numbers


def check(number: float | None, spelled: Spelled) -> None:
    if number is not None:
        assert spelled.value is not None and math.isclose(number, float(spelled.value), rel_tol=1e-12)


@settings(max_examples=600)
@given(answers())
def test_an_answer_is_read_as_what_it_says_or_not_at_all(spelled: Spelled) -> None:
    check(answer_number(spelled.text), spelled)
    check(read_number(spelled.text), spelled)


@settings(max_examples=500)
@given(numbers())
def test_a_number_is_found_as_what_it_says_or_not_at_all(spelled: Spelled) -> None:
    found = find_numbers(spelled.text)
    # Where groups are set apart by a space, they are several numbers.
    if len(found) == 1:
        check(found[0], spelled)
