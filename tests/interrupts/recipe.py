"""A recipe for a tiny Llama with dropout on local files: a resumed run needs the optimizer and the random state."""

from pathlib import Path
from typing import Any

import yaml

from tests.recipe import prepare_recipe


def write_recipe(folder: Path, **changes: Any) -> Path:
    """Write the model, the data and the recipe into `folder`, and return the recipe's path."""
    settings = prepare_recipe(folder, rows=24, attention_dropout=0.1) | {
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "ntl_weight_schedule": "cosine",
        "save_total_limit": 2,
        "resume_from_checkpoint": "auto",
        "activation_checkpointing": False,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings | changes))
    return path
