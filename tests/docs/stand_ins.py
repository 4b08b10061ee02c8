"""What the blocks of the docs find in place of the hub, of data sets and of a user's own folders.

Hub ids live in a cache of the hub's layout, so that every loader finds them, and an id that is not listed is refused
as any other is offline. Data sets, placeholders such as `DATA` and finished runs are folders in the working directory.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import yaml
from transformers import T5Tokenizer, TrainingArguments

from tests.build import make_args
from tests.downloads import real_tokenizer, sentencepiece_model
from tests.recipe import prepare_recipe
from tests.tiny import char_tokenizer, prompt_completion, sums, tiny_model, tokenized, tokenized_pairs

from .blocks import ROOT

DECODERS = (
    "ibm-granite/granite-3.2-2b-instruct",
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "meta-llama/Llama-3.2-1B",
    "Qwen/Qwen2.5-0.5B",
)
T5S = ("google-t5/t5-base", "google-t5/t5-small", "google-t5/t5-3b")
GPT2 = "openai-community/gpt2"
# A `FOLDER` of the docs holds the files of whatever task it is given for.
DATA_FOLDERS = ("DATA", "FOLDER", "data/gsm8k", "data/mathematics_dataset-v1.0")
MODEL_FOLDERS = ("models/smollm2-135m", "models/tiny-decoder")
T5_FOLDERS = ("models/t5-tiny", "models/t5-tiny-ratings")
GRANITE = ROOT / "recipes" / "granite-3.2-2b" / "gsm8k-lora.yaml"
# Of the recipe, where it says: README and recipes.md evaluate what it trains.
RUN_FOLDERS = ("out", "outputs/ntl", yaml.safe_load(GRANITE.read_text(encoding="utf-8"))["output_dir"])
_MATHEMATICS = ("train-easy", "train-medium", "train-hard", "interpolate", "extrapolate")
MAX_STEPS = 2
_CHAT = "{% for m in messages %}<s>{{ m['role'] }} {{ m['content'] }}</s>{% endfor %}"


def write_hub(folder: Path) -> None:
    """Fill a cache of the hub with a tiny model under every id of the docs."""
    for hub_id in DECODERS:
        _save(snapshot(folder, hub_id), "llama", char_tokenizer(chat_template=_CHAT))
    for hub_id in T5S:
        _save(snapshot(folder, hub_id), "t5", _t5_tokenizer())


def write_gpt2(folder: Path) -> None:
    """GPT-2's own tokenizer, which has to be fetched once: skips where that fails."""
    _save(snapshot(folder, GPT2), "gpt2", real_tokenizer("gpt2"))


def write_workspace(folder: Path) -> None:
    """The folders and files that commands of the docs name, beside a copy of the recipes and examples."""
    for name in ("recipes", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in DATA_FOLDERS:
        write_data(folder / name)
    for name in MODEL_FOLDERS:
        _save(folder / name, "llama-tied", char_tokenizer())
    for name in T5_FOLDERS:
        _save(folder / name, "t5", char_tokenizer())
    for name in RUN_FOLDERS:
        _train(folder / name)
    settings = {"task": "readings", "model_name_or_path": "out", "output_dir": "outputs/recipe"}
    (folder / "RECIPE.yaml").write_text(yaml.safe_dump(settings))
    (folder / "data" / "prices.csv").write_text("question,price\nA pear?,3\nTwo pears?,6\n")


def patch_libraries(monkeypatch: pytest.MonkeyPatch, hub: Path) -> None:
    """Read models from `hub` and data sets from here; end each training after `MAX_STEPS` steps.

    There is no GPU to be seen: a block that names no device must run on a machine without one.
    """
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    read_from_hub(monkeypatch, hub)
    load = datasets.load_dataset
    # Last, `datasets`: a module that is loaded for its patch would keep the patched one when the patches are undone.
    for place in ("ntl_hf.data.named", "ntl_hf.data.gsm8k", "ntl_hf.data.multirc", "datasets"):
        monkeypatch.setattr(f"{place}.load_dataset", lambda name, *a, **k: _load_dataset(load, name, *a, **k))
    prepare = TrainingArguments.__post_init__

    def short(self: Any) -> None:
        self.max_steps = MAX_STEPS if self.max_steps < 0 else min(self.max_steps, MAX_STEPS)
        self.disable_tqdm = True
        prepare(self)

    monkeypatch.setattr(TrainingArguments, "__post_init__", short)


def read_from_hub(monkeypatch: pytest.MonkeyPatch, hub: Path) -> None:
    """Read models from the cache `hub`."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))


def given(kind: str = "llama") -> dict[str, Callable[[], Any]]:
    """Makers of the names that a page may take as given; `kind` is the architecture of `model`."""
    # Wider than every vocabulary of the stand-ins but GPT-2's: a page may take any of their tokenizers.
    width = 1024
    tokenizer, model = char_tokenizer(), tiny_model(kind, vocab_size=width)
    rows = tokenized_pairs if model.config.is_encoder_decoder else tokenized
    batch = torch.tensor([tokenizer("12+7=19")["input_ids"], tokenizer("5*4=20.")["input_ids"]])
    return {
        "model": lambda: model,
        "tokenizer": lambda: tokenizer,
        "dataset": lambda: rows(tokenizer),
        "text_dataset": lambda: prompt_completion(),
        "args": lambda: make_args(TrainingArguments, "given", save_strategy="no"),
        "labels": lambda: batch,
        "logits": lambda: torch.randn(*batch.shape, width, requires_grad=True),
        "cross_entropy": lambda: torch.tensor(2.0, requires_grad=True),
    }


def snapshot(hub: Path, hub_id: str) -> Path:
    """The folder of a model in a cache of the hub."""
    commit = "0" * 40
    folder = hub / f"models--{hub_id.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    return folder / "snapshots" / commit


def _t5_tokenizer() -> Any:
    """Pieces of several digits, as T5 has them, and one of its words that the docs show."""
    model = sentencepiece_model()
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]
    return T5Tokenizer(vocab=[*pieces, ("▁In", 0.0)], extra_ids=10)


def _save(folder: Path, kind: str, tokenizer: Any) -> None:
    # Rounded up, as real vocabularies are.
    size = 64 * (len(tokenizer) // 64 + 1)
    tiny_model(kind, vocab_size=size).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_data(folder: Path) -> None:
    """GSM8K's files, and DeepMind Mathematics', of one module."""
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        rows = [{"question": row["prompt"], "answer": f"#### {row['completion']}"} for row in sums(16)]
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for level in _MATHEMATICS:
        (folder / level).mkdir()
        lines = [line for row in sums(16) for line in (row["prompt"], row["completion"])]
        (folder / level / "arithmetic__add_sub_multiple.txt").write_text("\n".join(lines) + "\n")


def _train(out: Path) -> None:
    """A finished run of `ntl-hf sft`: an adapter, with an evaluation in its log."""
    from ntl_hf.cli.main import main

    base = out.parent / f"{out.name}-base"
    base.mkdir(parents=True)
    run = {"max_steps": 2, "eval_strategy": "steps", "eval_steps": 1, "max_eval_samples": 4, "use_peft": True}
    settings = prepare_recipe(base, rows=8) | {"output_dir": str(out), "save_strategy": "no", **run}
    (base / "recipe.yaml").write_text(yaml.safe_dump(settings))
    assert main(["sft", "--config", str(base / "recipe.yaml")]) == 0


def _load_dataset(load: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
    if name == "openai/gsm8k":
        return load("json", data_files={s: f"DATA/{s}.jsonl" for s in ("train", "test")}, **kwargs)
    if name == "trl-lib/Capybara":
        chats = [
            [{"role": "user", "content": r["prompt"]}, {"role": "assistant", "content": r["completion"]}]
            for r in sums()
        ]
        rows = datasets.Dataset.from_list([{"messages": chat} for chat in chats])
        return rows if "split" in kwargs else datasets.DatasetDict(train=rows)
    return load(name, *args, **kwargs)


def _chat(row: dict[str, str]) -> list[dict[str, str]]:
    return [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]}]
