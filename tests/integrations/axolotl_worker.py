"""Trains with the installed Axolotl, as `axolotl train` does, and writes what was logged into `result.json`."""

import json
import os
import sys
from pathlib import Path

os.environ.update(
    AXOLOTL_DO_NOT_TRACK="1", HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1", HF_DATASETS_OFFLINE="1"
)

import yaml
from axolotl.cli.args import TrainerCliArgs
from axolotl.cli.config import load_cfg
from axolotl.common.datasets import load_datasets
from axolotl.train import train

FOLDER = Path(sys.argv[1])
BASE = {
    "base_model": str(FOLDER / "model"),
    "datasets": [
        {
            "path": str(FOLDER / "data.jsonl"),
            "ds_type": "json",
            "type": {
                "field_instruction": "instruction",
                "field_output": "output",
                "format": "{instruction}",
                "no_input_format": "{instruction}",
            },
        }
    ],
    "dataset_num_proc": 1,
    "val_set_size": 0,
    "sequence_len": 64,
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "max_steps": 2,
    "logging_steps": 1,
    "learning_rate": 0.05,
    "optimizer": "sgd",
    "lr_scheduler": "constant",
    "bf16": False,
    "fp16": False,
    "tf32": False,
    "attn_implementation": "eager",
    "seed": 7,
}
PLUGIN = {"plugins": ["ntl_hf.integrations.axolotl.NTLPlugin"]}
DATA = {"plain": {}, "packed": {"sample_packing": True, "pad_to_sequence_len": True}}
LOSSES = {"stock": {}, "weight-0": {**PLUGIN, "ntl_weight": 0}, "weight-0.3": {**PLUGIN, "ntl_weight": 0.3}}


def run(name: str, settings: dict) -> dict:
    own = {"output_dir": str(FOLDER / name), "dataset_prepared_path": str(FOLDER / f"data-{name}")}
    path = FOLDER / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**BASE, **own, **settings}))
    cfg = load_cfg(str(path))
    _, _, trainer = train(cfg=cfg, dataset_meta=load_datasets(cfg=cfg, cli_args=TrainerCliArgs()))
    rows = [row for row in trainer.state.log_history if "loss" in row]
    expected = [row["ce_loss"] + row["ntl_weight"] * row["ntl_loss"] for row in rows if "ntl_loss" in row]
    return {"trainer": type(trainer).__name__, "losses": [row["loss"] for row in rows], "expected": expected}


if __name__ == "__main__":
    runs = {f"{d}-{n}": {**data, **loss} for d, data in DATA.items() for n, loss in LOSSES.items()}
    (FOLDER / "result.json").write_text(json.dumps({name: run(name, settings) for name, settings in runs.items()}))
