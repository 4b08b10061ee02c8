"""A recipe for the commands that train, on a tiny model and data in a folder."""

import pytest
import yaml

from tests.cli.runs import save_model
from tests.recipe import prepare_recipe


@pytest.fixture
def recipe(tmp_path):
    """A recipe for a tiny Llama on local GSM8K-like files, and a function that writes changes to it."""
    settings = prepare_recipe(tmp_path, rows=16) | {
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "use_peft": True,
        "lora_target_modules": "all-linear",
    }

    def write(**changes):
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in (settings | changes).items() if v is not None}))
        return str(path)

    return write


@pytest.fixture(params=("llama", "t5"))
def kind(request, tmp_path):
    """The folder `tmp_path / "model"` holds a model of this kind."""
    save_model(tmp_path / "model", request.param)
    return request.param
