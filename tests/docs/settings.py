"""YAML blocks: recipes, comparisons and the like, read by what reads them."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from ntl_hf.compare.plan import read_plan
from ntl_hf.runs import evaluate, sft, train
from ntl_hf.settings.config import NTLConfig
from ntl_hf.settings.errors import UsageError
from ntl_hf.settings.recipe_files import own_recipe
from ntl_hf.settings.recipes import RecipeParser

from .blocks import Block

# Files of other frameworks, of which only the settings that are ours can be looked at here.
FOREIGN = ("docs/integrations/axolotl.md", "docs/integrations/llama-factory-ms-swift.md")


def check_yaml(block: Block) -> None:
    """Read a block of YAML in the working directory; fails for a key or a value that is refused."""
    content = yaml.safe_load(block.text)
    assert isinstance(content, dict), f"{block.id} is no mapping"
    if block.page in FOREIGN:
        check_ntl_settings(block, content)
    elif "variants" in content:
        _check_comparison(block, content)
    else:
        _check_recipe(block)


def check_ntl_settings(block: Block, content: dict[str, Any]) -> None:
    """Its `ntl_` keys are settings of `NTLConfig`, with values that it accepts."""
    known = {each.name for each in fields(NTLConfig)}
    ours = {key.removeprefix("ntl_"): value for key, value in content.items() if key.startswith("ntl_")}
    assert ours.keys() <= known, f"{block.id}: {ours.keys() - known}"
    NTLConfig(**ours)


def _check_comparison(block: Block, content: dict[str, Any]) -> None:
    """Its recipe is a name."""
    path = Path("comparison.yaml")
    path.write_text(block.text)
    assert read_plan(path).recipe == own_recipe(content["recipe"])


def _check_recipe(block: Block) -> None:
    """A part of a recipe, of whichever command takes it."""
    path = Path("block.yaml")
    path.write_text(block.text)
    output = [] if "output_dir:" in block.text else ["--output_dir", "out"]
    refusals = []
    for script in (sft, train, evaluate):
        try:
            RecipeParser(script.ARGUMENT_CLASSES).parse(["--config", str(path), "--use_cpu", "true", *output])
            return
        except UsageError as error:
            refusals.append(str(error))
    raise AssertionError(f"{block.id}: {refusals}")
