"""A recipe for the commands that train, on a tiny model and data in a folder."""

import json

import pytest
import yaml

from tests.tiny import char_tokenizer, sums, tiny_model


@pytest.fixture
def recipe(tmp_path):
    """A recipe for a tiny Llama on local GSM8K-like files, and a function that writes changes to it."""
    tiny_model("llama-tied").save_pretrained(tmp_path / "model")
    char_tokenizer().save_pretrained(tmp_path / "model")
    for split, seed in (("train", 0), ("test", 1)):
        rows = [{"question": r["prompt"], "answer": f"#### {r['completion']}"} for r in sums(16, seed=seed)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = {
        "model_name_or_path": str(tmp_path / "model"),
        "task": "gsm8k",
        "data_path": str(tmp_path),
        "output_dir": str(tmp_path / "out"),
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "logging_steps": 1,
        "use_cpu": True,
        "bf16": False,
        "dtype": "float32",
        "use_peft": True,
        "lora_target_modules": "all-linear",
        "save_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }

    def write(**changes):
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in (settings | changes).items() if v is not None}))
        return str(path)

    return write
