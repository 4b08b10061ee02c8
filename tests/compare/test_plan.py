"""The file of a comparison: what it says, and what is refused with one line."""

import re

import pytest
import yaml

from ntl_hf.compare.plan import (
    for_debug,
    read_plan,
    slug,
    with_seeds,
    with_variants,
)

CONTENT = {
    "command": "train",
    "recipe": "recipe.yaml",
    "seeds": [3, 4],
    "baseline": "CE",
    "variants": {"CE": {"ntl_weight": 0}, "CE + NTL": None},
    "evaluations": {"test": {"dataset_test_split": "test"}},
    "metrics": ["mae", "r2_charged"],
    "output_dir": "outputs/x",
}


@pytest.fixture
def write(tmp_path):
    def write(text=None, **changes):
        (tmp_path / "recipe.yaml").touch()
        content = {key: value for key, value in (CONTENT | changes).items() if value != "absent"}
        path = tmp_path / "compare.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False) if text is None else text)
        return path

    return write


def test_what_is_read(write, tmp_path):
    plan = read_plan(write())
    assert (plan.command, plan.seeds, plan.baseline, plan.others) == ("train", (3, 4), "CE", ["CE + NTL"])
    assert plan.recipe == tmp_path / "recipe.yaml" and plan.variants["CE + NTL"] == {}
    assert plan.metrics == ("mae", "r2_charged") and not plan.debug


def test_defaults(write):
    plan = read_plan(write(seeds="absent", metrics="absent"))
    assert plan.seeds == (0,) and "number_accuracy" in plan.metrics and plan.settings == {}
    # An MAE over readable answers alone would make silence look good.
    assert "mae_charged" in plan.metrics


def test_a_debug_run_has_one_seed_and_a_folder_of_its_own(write, tmp_path):
    plan = for_debug(with_seeds(read_plan(write()), [7, 8]), tmp_path)
    assert plan.debug and plan.seeds == (7,) and plan.output_dir == tmp_path


def test_fewer_variants_in_their_order_and_with_the_baseline(write):
    plan = read_plan(write(variants={"A": {}, "CE": {}, "B": {}}))
    assert list(with_variants(plan, {"B"}).variants) == ["CE", "B"]


def test_slugs():
    assert [slug(name) for name in ("CE + NTL", "NTL-WAS 0.3", "_é_")] == ["ce-ntl", "ntl-was-0-3", ""]


REFUSED = {
    "unknown key": ({"varaints": {}}, "unknown key 'varaints'. Did you mean 'variants'?"),
    "a key of cells": ({"seed": 1}, "'seed': list the seeds as `seeds`"),
    "no variants": ({"variants": "absent"}, "the key 'variants' is missing"),
    "no evaluations": ({"evaluations": {}}, "'evaluations' must hold one or more names"),
    "variants as a list": ({"variants": ["CE"]}, "'variants' must hold one or more names"),
    "variant that is no mapping": ({"variants": {"CE": 3}}, "'variants: CE' must hold settings"),
    "variant that sets the seed": ({"variants": {"CE": {"seed": 1}}}, "sets 'seed': list the seeds"),
    "settings that set a folder": ({"settings": {"output_dir": "x"}}, "'settings' sets 'output_dir'"),
    "unknown baseline": ({"baseline": "C"}, "'baseline' is 'C', which is none of the variants. Did you mean 'CE'?"),
    "colliding folders": (
        {"variants": {"CE": {}, "CE + NTL": {}, "ce ntl": {}}},
        "'CE + NTL' and 'ce ntl' would share the folder 'ce-ntl'",
    ),
    "name without letters": ({"variants": {"CE": {}, "++": {}}}, "'++' is no name"),
    "number as a name": ({"variants": {"CE": {}, 0.3: {}}}, "0.3 is no name"),
    "unknown command": ({"command": "evaluate"}, "'command' is 'evaluate'; it must be one of: sft, train"),
    "missing recipe": ({"recipe": "nowhere.yaml"}, "'recipe': there is no file"),
    "unknown metric": ({"metrics": ["maee"]}, "'metrics' has 'maee', which is unknown. Did you mean 'mae'?"),
    "seeds as words": ({"seeds": ["a"]}, "'seeds' has 'a'"),
    "a seed twice": ({"seeds": [1, 1]}, "'seeds' has 1 twice"),
    "no seeds": ({"seeds": []}, "'seeds' is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_file_and_one_line(case, write):
    changes, message = REFUSED[case]
    path = write(**changes)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read_plan(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


NO_MAPPING = "must hold keys and values: command, recipe, baseline, variants, evaluations, output_dir, ..."


@pytest.mark.parametrize(("text", "message"), [("a: [", "not valid YAML"), ("- a", re.escape(NO_MAPPING))])
def test_no_mapping(text, message, write):
    with pytest.raises(ValueError, match=message):
        read_plan(write(text))


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="cannot read the comparison"):
        read_plan(tmp_path / "nowhere.yaml")
