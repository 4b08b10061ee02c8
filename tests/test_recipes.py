"""Every recipe against the command that it is for: what it says about itself, its keys and its values."""

import re
import shlex
import warnings
from pathlib import Path

import pytest
import yaml

from ntl_hf.cli.launch import find_config, split_options
from ntl_hf.runs import sft, train
from ntl_hf.settings.errors import UsageError
from ntl_hf.settings.recipe_files import own_recipe
from ntl_hf.settings.recipes import RecipeParser

ROOT = Path(__file__).parents[1]
# Comparisons are tested in tests/compare.
RECIPES = sorted(
    path
    for path in (ROOT / "recipes").glob("*/*.yaml")
    if path.parent.name != "accelerate" and not path.stem.startswith("compare-")
)
SCRIPTS = {"sft": sft, "train": train}
# Of the systems to compare with: the last two have no digits for a number loss.
SYSTEM_OF = {"rt": "rt", "rt_ntl": "rt", "xval": "xval", "regression_head": "regression_head"}
WITHOUT_NTL = ("rt", "xval", "regression_head")
# A recipe is for a GPU, most likely; the tests are for any machine.
ON_THE_CPU = ("--use_cpu", "true")

every_recipe = pytest.mark.parametrize("path", RECIPES, ids=lambda p: f"{p.parent.name}/{p.stem}")


def command_of(path):
    """The script that the recipe's second line names, and the launcher's options there."""
    line = path.read_text().splitlines()[1]
    assert line.startswith("# Command: ntl-hf "), line
    name, *words = shlex.split(line.removeprefix("# Command: ntl-hf "))
    options, rest = split_options(words)
    assert rest == ["--config", f"{path.parent.name}/{path.stem}"]
    return name, options


def parse(script, path, *words):
    return RecipeParser(script.ARGUMENT_CLASSES).parse(["--config", str(path), *ON_THE_CPU, *words])


def test_there_are_recipes_for_both_commands():
    assert {command_of(path)[0] for path in RECIPES} == set(SCRIPTS)


@every_recipe
def test_it_says_what_it_is_for_and_whether_it_was_run(path):
    first = path.read_text().splitlines()[0]
    runs = r"Not run yet; the tests parse it|Run (as it stands|in bfloat16); .+"
    assert re.fullmatch(rf"# Hardware: .+\. ({runs})\.", first), first


@every_recipe
def test_every_key_is_known_and_every_value_accepted(path, tmp_path):
    name, _ = command_of(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)  # of a name that is deprecated
        parts = parse(SCRIPTS[name], path, "--output_dir", str(tmp_path / "out"))
    data, _, system, args, model = parts
    assert data.task and model.model_name_or_path
    assert (args.ntl_weight > 0) == (path.stem not in WITHOUT_NTL)
    assert system.system == SYSTEM_OF.get(path.stem, "standard")
    for key, value in yaml.safe_load(path.read_text()).items():
        held = getattr(next(part for part in parts if hasattr(part, key)), key)
        # Overridden here, or read into a list.
        assert key in ("output_dir", "use_cpu", "report_to") or getattr(held, "value", held) == value, key


@every_recipe
def test_it_trains_in_the_precision_of_its_weights(path):
    """bfloat16 weights are for adapters: what trains in full keeps float32 weights, and T5 never sees float16."""
    recipe = yaml.safe_load(path.read_text())
    assert recipe["bf16"] is not is_for_a_cpu(path) and "fp16" not in recipe
    is_half = recipe.get("use_peft") and not is_for_a_cpu(path)
    assert recipe.get("dtype", "float32") == ("bfloat16" if is_half else "float32")


def test_recipes_for_a_cpu_are_in_float32_and_leave_a_gpu_alone():
    """Most CPUs only emulate bfloat16: one backward product takes 40 times as long."""
    found = [path for path in (ROOT / "recipes").glob("*/*.yaml") if is_for_a_cpu(path)]
    assert {path.parent.name for path in found} == {"smollm2-135m", "t5-tiny", "tiny-decoder"}
    for path in found:
        recipe = yaml.safe_load(path.read_text())
        runs = [recipe]
        if path.stem.startswith("compare-"):
            base = yaml.safe_load(own_recipe(recipe["recipe"]).read_text())
            common = {**base, **recipe.get("settings", {})}
            scored = [{}, *recipe["evaluations"].values()]
            runs = [{**common, **own, **each} for own in recipe["variants"].values() for each in scored]
        for run in runs:
            assert run["use_cpu"] is True and run["bf16"] is False and not run.get("fp16"), path
            assert run.get("dtype", "float32") == "float32", path


def is_for_a_cpu(path):
    return " CPU core" in path.read_text().splitlines()[0]


@every_recipe
def test_its_processes_are_a_mode_that_exists(path):
    _, options = command_of(path)
    if options:
        assert find_config(options["--accelerate_config"]).parent == ROOT / "recipes" / "accelerate"
        assert options["--num_processes"] != "1"


def test_every_run_has_a_folder_of_its_own():
    folders = {path: yaml.safe_load(path.read_text())["output_dir"] for path in RECIPES}
    assert folders == {path: f"outputs/{path.parent.name}-{path.stem}" for path in RECIPES}


STALE = {
    "a key that is gone": ("ntl_wieght: 0.3", "unknown key 'ntl_wieght'. Did you mean 'ntl_weight'"),
    "a loss that is gone": ("ntl_loss: hubert", "hubert"),
    "a weight out of range": ("ntl_weight: -1", "`ntl_weight` is -1"),
    "a task that is gone": ("task: gms8k", "choose one of: gsm8k"),
    "no such schedule": ("lr_scheduler_type: cosin", "cosin"),
    "no such precision": ("dtype: float8", "choose one of: auto, bfloat16"),
    "not a number": ("learning_rate: fast", "fast"),
    "unquoted no": ("save_strategy: no", "unquoted no"),
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("case", STALE)
def test_a_stale_recipe_is_rejected(script, case, tmp_path):
    line, message = STALE[case]
    path = tmp_path / "recipe.yaml"
    path.write_text(f"output_dir: {tmp_path / 'out'}\ntask: gsm8k\n")
    parse(SCRIPTS[script], path)
    path.write_text(f"output_dir: {tmp_path / 'out'}\n{line}\n")
    with pytest.raises(UsageError, match=message):
        parse(SCRIPTS[script], path)
