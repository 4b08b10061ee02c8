"""The terms of a number loss, written as text or as a list, and what their weights come to."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf import NTLConfig
from ntl_hf.settings.loss_terms import LossTerm, parse_loss
from ntl_hf.settings.losses import BOUNDED_LOSSES, LOSSES

# Weights as they are written: six digits are kept.
WEIGHTS = st.one_of(st.none(), st.integers(1, 999_999).map(lambda n: n / 1000), st.just(1e-9))


@st.composite
def specs(draw: st.DrawFn) -> list[LossTerm]:
    names = draw(st.lists(st.sampled_from(LOSSES), min_size=1, max_size=len(LOSSES), unique=True))
    return [LossTerm(name, draw(WEIGHTS)) for name in names]


@given(terms=specs(), space=st.sampled_from(["", " "]))
def test_any_spec_comes_back(terms: list[LossTerm], space: str) -> None:
    text = f"{space}+{space}".join(str(term) for term in terms)
    found = parse_loss("loss", text)
    assert found == tuple(terms)
    assert parse_loss("loss", "+".join(map(str, found))) == found


@given(terms=specs(), data=st.data())
def test_a_list_is_one_term_an_entry(terms: list[LossTerm], data: st.DataObject) -> None:
    entries: list[Any] = [
        {term.name: term.weight} if term.weight is not None and data.draw(st.booleans()) else str(term)
        for term in terms
    ]
    assert parse_loss("loss", entries) == parse_loss("loss", tuple(entries)) == tuple(terms)


@given(
    terms=specs(),
    bad=st.sampled_from(["xyz", "", "was:", "was:-1", "was:nan", "was:inf", "was:0", "was:a"]),
    data=st.data(),
)
def test_an_error_says_where_it_is(terms: list[LossTerm], bad: str, data: st.DataObject) -> None:
    parts = [str(term) for term in terms if term.name != "was"]
    index = data.draw(st.integers(0, len(parts)))
    text = "+".join([*parts[:index], bad, *parts[index:]])
    start = sum(len(part) + 1 for part in parts[:index]) + bad.find(":") + 1
    with pytest.raises(ValueError) as error:
        parse_loss("ntl_loss", text)
    assert str(error.value).startswith(f"`ntl_loss` is {text!r}; at character {start + 1}: ")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("crsp", "at character 1: 'crsp' is unknown. Did you mean 'crps'?"),
        ("was+", "at character 5: a name is missing"),
        ("was+ crsp", "at character 5: 'crsp' is unknown. Did you mean 'crps'?"),
        ("was,crps", "at character 1: 'was,crps' is unknown"),
        ("was:0.5:2", "at character 5: the weight '0.5:2' is no number above 0"),
        ("was:1+mae+was", "at character 11: 'was' comes twice"),
        (0.5, "is 0.5; it must be a text such as 'crps:0.5+number:0.1', or a list"),
        ([{"was": 1, "mae": 2}], "has {'mae': 2, 'was': 1} in its list"),
        ([{"was": None}], "the weight 'None' is no number above 0"),
        ({}, "it must be a text"),
        ([["was"]], "has ['was'] in its list"),
    ],
)
def test_errors_in_words(spec: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_loss("loss", spec)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("settings", "scale", "weights"),
    [
        ({}, 0.3, (1.0,)),
        ({"weight": 0.7, "loss": "was+crps"}, 0.7, (1.0, 1.0)),
        ({"loss": "crps:0.5+number:0.1"}, 1.0, (0.5, 0.1)),
        ({"loss": "crps:0.5+was"}, 1.0, (0.5, 0.3)),
        ({"loss": {"crps": 0.5, "was": 2}}, 1.0, (0.5, 2.0)),
        ({"weight": 0, "loss": "crps:0.5+was:2"}, 0.0, (0.5, 2.0)),
        ({"weight": 0, "loss": "was"}, 0.0, (1.0,)),
    ],
)
def test_weights(settings: dict[str, Any], scale: float, weights: tuple[float, ...]) -> None:
    config = NTLConfig(**settings)
    assert (config.scale, config.term_weights) == (scale, weights)
    assert config.needs_numbers == (scale > 0)


@given(terms=specs())
def test_which_losses_read_text(terms: list[LossTerm]) -> None:
    names = {term.name for term in terms}
    if {"raft", "number"} <= names:
        return
    config = NTLConfig(loss="+".join(map(str, terms)))
    assert config.terms == tuple(terms)
    assert config.reads_text == bool(names & {"del", "raft", "number"})
    if names <= {"del", "number"}:
        return
    assert NTLConfig(loss=config.loss, place_weights="ntil").reads_text


@pytest.mark.parametrize("weight", [1e6, 2.5e12, 0.12345678])
def test_any_weight_comes_back(weight: float) -> None:
    assert NTLConfig(loss=[{"was": weight}]).term_weights == (weight,)  # type: ignore[arg-type]


def test_names_are_told_apart() -> None:
    assert len(set(LOSSES)) == len(LOSSES) and set(BOUNDED_LOSSES) < set(LOSSES)
    assert all(name.isidentifier() for name in LOSSES)
    assert math.isclose(parse_loss("loss", "was:1e-3")[0].weight or 0, 1e-3)
