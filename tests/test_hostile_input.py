"""Whatever a file or a setting holds, it is read or refused with an error of ours: found by hypothesis, not listed.

`HOSTILE_EXAMPLES=100000 pytest tests/test_hostile_input.py` tries longer.
"""

import gzip
import json
import math
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntl_hf import NTLConfig
from ntl_hf.data.named import load_named
from ntl_hf.data.number_text import answer_number, find_numbers, read_number
from ntl_hf.settings.config import FILE_NAME
from ntl_hf.settings.errors import UsageError
from ntl_hf.settings.loss_terms import parse_loss
from ntl_hf.settings.losses import LOSSES
from ntl_hf.settings.recipe_reader import read_recipe

pytestmark = pytest.mark.slow
tries = settings(max_examples=int(os.environ.get("HOSTILE_EXAMPLES", 300)), deadline=None)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PIECES = st.sampled_from(
    [*LOSSES, "+", ":", "0.5", "1e+3", "e", "-", " ", "1_0", "١", "inf", "nan", ",", "\n", "was:"]
)


@tries
@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=20) | JSON_VALUES)
def test_a_loss_is_a_sum_of_known_names_or_refused(spec):
    with suppress(ValueError):
        terms = parse_loss("loss", spec)
        assert all(term.name in LOSSES for term in terms)
        assert all(term.weight is None or 0 < term.weight < math.inf for term in terms)
        assert parse_loss("loss", "+".join(map(str, terms))) == terms


@tries
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("0123456789.,-−/eE %$½×^¹²³\\frac{}"), max_size=40))
def test_numbers_in_any_text_are_finite(text):
    numbers = [*find_numbers(text), read_number(text), answer_number(text)]
    assert all(number is None or math.isfinite(number) for number in numbers)


YAML = st.sampled_from(
    [
        "a",
        "seed",
        ":",
        " ",
        "\n",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "!!int ",
        "'",
        '"',
        "|",
        ">",
        "#",
        "1",
        "<<",
        "\t",
    ]
)


def _in_file(content, name):
    folder = tempfile.TemporaryDirectory()
    (Path(folder.name) / name).write_bytes(content)
    return folder


@tries
@given(st.lists(YAML, max_size=20).map("".join).map(str.encode) | st.binary(max_size=60))
def test_a_recipe_is_names_and_values_or_refused(content):
    with _in_file(content, "recipe.yaml") as folder, suppress(UsageError):
        recipe = read_recipe(Path(folder) / "recipe.yaml")
        assert isinstance(recipe, dict) and all(line > 0 for line in recipe.lines.values())


@tries
@given(
    st.dictionaries(st.sampled_from(["weight", "loss", "p", "balance", "raft_grid", "x"]), JSON_VALUES).map(
        lambda values: json.dumps(values).encode()
    )
    | st.binary(max_size=40)
)
def test_settings_beside_weights_are_read_or_refused(content):
    with _in_file(content, FILE_NAME) as folder, suppress(ValueError):
        NTLConfig.load(folder)


ROWS = st.lists(
    st.dictionaries(st.sampled_from(["prompt", "completion", "", "a,b", "messages"]), JSON_VALUES, max_size=3),
    max_size=4,
)
CELLS = st.lists(
    st.sampled_from(["prompt", "completion", ",", "\n", "\r", '"', "1", "é", "\0", "\t", " "]), max_size=30
)
DATA = (
    ROWS.map(lambda rows: "\n".join(map(json.dumps, rows)).encode())
    | ROWS.map(lambda rows: json.dumps(rows).encode())
    | CELLS.map("".join).map(str.encode)
    | st.binary(max_size=80)
)


@tries
@given(DATA, st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet"]), st.booleans())
def test_rows_are_read_or_refused_with_the_file(content, name, packed):
    name, content = (f"{name}.gz", gzip.compress(content)) if packed else (name, content)
    with _in_file(content, name) as folder:
        path = Path(folder) / name
        try:
            load_named(str(path), None, "train")
        except ValueError as error:
            assert name in str(error)
