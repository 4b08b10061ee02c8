"""`HF_HUB_OFFLINE=1` and folders: every command works, and none of them so much as looks for a network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ntl_hf.cli.main import main
from tests.hub_stand_in import check_card
from tests.recipe import prepare_recipe
from tests.tiny import char_tokenizer, tiny_model

ROOT = Path(__file__).parents[1]

# Python imports a module of this name at its start, in the processes that a command starts as well.
NO_NETWORK = """
import os, socket

def refuse(call):
    def wrapper(*args, **kwargs):
        if call.__name__ == "getaddrinfo":
            address = args[0]
            is_local = address in (None, "", "localhost", "127.0.0.1", "::1", socket.gethostname())
        else:
            is_local = args[0].family == socket.AF_UNIX or args[1][0] in ("localhost", "127.0.0.1", "::1")
            address = args[1]
        if is_local:
            return call(*args, **kwargs)
        with open(os.environ["REFUSED"], "a") as log:
            log.write(f"{call.__name__} {address}\\n")
        raise OSError(f"no network in this test: {address}")
    return wrapper

class Socket(socket.socket):
    connect = refuse(socket.socket.connect)
    connect_ex = refuse(socket.socket.connect_ex)

socket.socket = Socket
socket.getaddrinfo = refuse(socket.getaddrinfo)
"""

RUN = """
import json, sys, traceback
from ntl_hf.cli.main import main

if __name__ == "__main__":
    codes = {}
    for name, words in json.load(open(sys.argv[1])).items():
        print("=====", name, flush=True)
        print("=====", name, file=sys.stderr, flush=True)
        try:
            codes[name] = main(words)
        except BaseException:
            traceback.print_exc()
            codes[name] = -1
        json.dump(codes, open(sys.argv[2], "w"))
"""


def prepare(folder):
    """Models, data, a recipe and a comparison in `folder`; returns the words of each command."""
    settings = prepare_recipe(folder, rows=8)
    settings |= {"max_steps": 2, "per_device_train_batch_size": 2, "eval_strategy": "epoch", "max_eval_samples": 4}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    tiny_model("t5").save_pretrained(folder / "t5")
    char_tokenizer().save_pretrained(folder / "t5")
    comparison = {
        "command": "sft",
        "recipe": "recipe.yaml",
        "seeds": [1],
        "baseline": "CE",
        "variants": {"CE": {"ntl_weight": 0}, "CE + NTL": {}},
        "evaluations": {"test": {"max_eval_samples": 2, "max_new_tokens": 2}},
        "metrics": ["number_accuracy"],
        "output_dir": str(folder / "compared"),
    }
    (folder / "compare.yaml").write_text(yaml.safe_dump(comparison))
    recipe = ["--config", str(folder / "recipe.yaml")]
    lora = ["--use_peft", "true", "--lora_target_modules", "all-linear", "--train_number_rows", "true"]

    def into(name):
        return ["--output_dir", str(folder / name)]

    def evaluate(name):
        words = ["--model_name_or_path", str(folder / name), "--max_new_tokens", "2", "--use_cpu", "true"]
        return ["evaluate", *recipe, *words, *into(f"{name}-scores")]

    t5 = ["--model_name_or_path", str(folder / "t5")]
    return {
        "inspect": ["inspect", str(folder / "model")],
        "sft": ["sft", *recipe, *lora, *into("sft")],
        "resume": ["sft", *recipe, *lora, *into("sft"), "--max_steps", "3", "--resume_from_checkpoint", "auto"],
        "train a decoder": ["train", *recipe, *into("decoder")],
        "train an encoder-decoder": ["train", *recipe, *lora[:4], *t5, *into("encoder-decoder")],
        "evaluate an adapter": evaluate("sft"),
        "evaluate": evaluate("decoder"),
        "quickstart": ["quickstart", "--debug", "--seeds", "1", "--jobs", "1", *into("quickstart")],
        "compare": ["compare", "--config", str(folder / "compare.yaml"), "--debug", "--jobs", "1"],
    }


NAMES = (
    "inspect",
    "sft",
    "resume",
    "train a decoder",
    "train an encoder-decoder",
    "evaluate an adapter",
    "evaluate",
    "quickstart",
    "compare",
)


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """All the commands in one process without a network: their exit codes, what they printed, and the folder."""
    folder = tmp_path_factory.mktemp("offline")
    commands = prepare(folder)
    assert tuple(commands) == NAMES
    (folder / "python").mkdir()
    (folder / "python" / "sitecustomize.py").write_text(NO_NETWORK)
    (folder / "run.py").write_text(RUN)
    (folder / "commands.json").write_text(json.dumps(commands))
    result = run(folder, sys.executable, "run.py", "commands.json", "codes.json")
    codes = json.loads((folder / "codes.json").read_text())
    return folder, codes, result.stdout + result.stderr


def run(folder, *command):
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder / 'python'}{os.pathsep}{ROOT}",
        "REFUSED": str(folder / "refused.txt"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str(folder),
    }
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_command_works_on_folders(name, offline):
    _, codes, printed = offline
    assert codes.get(name) == 0, printed[-6000:]


@pytest.mark.slow
def test_nothing_looks_for_a_network(offline):
    folder, _, _ = offline
    refused = folder / "refused.txt"
    assert not refused.exists(), refused.read_text()


@pytest.mark.slow
def test_the_guard_would_have_told(offline):
    folder, _, _ = offline
    code = "import urllib.request as r; r.urlopen('https://huggingface.co')"
    (folder / "guard").mkdir()
    (folder / "guard" / "python").symlink_to(folder / "python")
    result = run(folder / "guard", sys.executable, "-c", code)
    assert "no network in this test" in result.stderr
    assert "huggingface.co" in (folder / "guard" / "refused.txt").read_text()


@pytest.mark.slow
def test_the_cards_are_those_of_a_run_with_a_network(offline):
    folder, _, _ = offline
    cards = [folder / name / "README.md" for name in ("sft", "decoder", "encoder-decoder")]
    for path in cards:
        card = check_card(path)
        assert "eval_number_mae" in {result.metric_name for result in card.data.eval_results}
        assert str(folder) not in path.read_text()


def test_a_model_of_the_hub_is_refused_in_one_line(tmp_path, capsys):
    settings = prepare_recipe(tmp_path, rows=4) | {"model_name_or_path": "somebody/numbers"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(settings))
    assert main(["sft", "--config", str(tmp_path / "recipe.yaml")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ntl-hf: error")]
    assert "somebody/numbers" in line
