"""The options of the bootstrap in the signatures of all that score."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import pytest

from ntl_hf import evaluation

NAMES = [name for name in evaluation.__all__ if name.startswith("score_")]


@pytest.mark.parametrize("name", NAMES)
def test_the_signature_shows_the_options_and_their_defaults(name: str) -> None:
    function: Callable[..., Any] = getattr(evaluation, name)
    defaults = {key: each.default for key, each in signature(function).parameters.items()}
    assert list(defaults.items())[-3:] == [("confidence", 0.95), ("resamples", 1000), ("seed", 0)]


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_refused_by_the_function_that_was_called(name: str) -> None:
    function: Callable[..., Any] = getattr(evaluation, name)
    with pytest.raises(TypeError, match=rf"^{name}\(\) got an unexpected keyword argument 'resample'"):
        function([], [], resample=10)
