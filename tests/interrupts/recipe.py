"""A recipe for a tiny Llama with dropout on local files: a resumed run needs the optimizer and the random state."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.tiny import char_tokenizer, sums, tiny_model


def write_recipe(folder: Path, **changes: Any) -> Path:
    """Write the model, the data and the recipe into `folder`, and return the recipe's path."""
    tiny_model("llama-tied", attention_dropout=0.1).save_pretrained(folder / "model")
    char_tokenizer().save_pretrained(folder / "model")
    rows = [{"question": row["prompt"], "answer": f"#### {row['completion']}"} for row in sums(24)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = {
        "model_name_or_path": str(folder / "model"),
        "task": "gsm8k",
        "data_path": str(folder),
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "ntl_weight_schedule": "cosine",
        "save_steps": 1,
        "save_total_limit": 2,
        "resume_from_checkpoint": "auto",
        "use_cpu": True,
        "bf16": False,
        "dtype": "float32",
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings | changes))
    return path
