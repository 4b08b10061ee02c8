"""What the recipes of the tests have in common: a tiny Llama and GSM8K-like files in a folder."""

import json
from pathlib import Path
from typing import Any

from tests.tiny import char_tokenizer, sums, tiny_model


def prepare_recipe(folder: Path, rows: int, **model_settings: Any) -> dict[str, Any]:
    """Write the model and `rows` rows a split into `folder`, and return the settings of a recipe for them."""
    tiny_model("llama-tied", **model_settings).save_pretrained(folder / "model")
    char_tokenizer().save_pretrained(folder / "model")
    for split, seed in (("train", 0), ("test", 1)):
        examples = [{"question": r["prompt"], "answer": f"#### {r['completion']}"} for r in sums(rows, seed=seed)]
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, examples)))
    return {
        "model_name_or_path": str(folder / "model"),
        "task": "gsm8k",
        "data_path": str(folder),
        "output_dir": str(folder / "out"),
        "logging_steps": 1,
        "save_steps": 1,
        "use_cpu": True,
        "bf16": False,
        "dtype": "float32",
        "report_to": "none",
        "disable_tqdm": True,
    }
