"""The folder of the demo as a Space: header, requirements, sizes, and how its model is made."""

import re
from pathlib import Path

import yaml

from .conftest import SPACE, load

ROOT = Path(__file__).parents[2]


def test_the_header_is_that_of_a_gradio_space():
    _, header, text = (SPACE / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(header)
    assert found["sdk"] == "gradio" and (SPACE / found["app_file"]).is_file() and found["license"] == "mit"
    assert len(found["short_description"]) <= 60 and "number-token-loss" in found["tags"]
    # The version that the tests run with.
    assert f"gradio=={found['sdk_version']}\n" in (ROOT / "constraints.txt").read_text()
    # The table of the files is complete.
    for path in SPACE.iterdir():
        known = path.name.startswith((".", "__")) or path.name in ("README.md", "requirements.txt")
        assert known or f"`{path.name}" in text


def test_the_requirements_cover_what_is_imported():
    required = {line for line in (SPACE / "requirements.txt").read_text().splitlines() if not line.startswith("#")}
    assert required == {"ntl-hf"}
    project = (ROOT / "pyproject.toml").read_text()
    ours = {path.stem for path in SPACE.glob("*.py")}
    standard = {"argparse", "collections", "dataclasses", "functools", "html", "os", "pathlib", "random", "re"}
    standard |= {"tempfile", "typing"}
    for path in SPACE.glob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), flags=re.MULTILINE):
            # tokenizers comes with transformers; gradio is the Space's own.
            known = name in ours | standard | {"ntl_hf", "gradio", "tokenizers"}
            assert known or f'"{name}>=' in project, f"{path.name} imports {name}"


def test_model_and_tokenizers_are_small():
    sizes = [path.stat().st_size for folder in ("model", "tokenizers") for path in (SPACE / folder).rglob("*")]
    assert sum(sizes) < 1_000_000


def test_the_model_can_be_made_again(tmp_path, monkeypatch):
    """A single step on few sentences: what it writes has the form of what is embedded."""
    make, shelf = load("make_model"), load("shelf")
    monkeypatch.setattr(make, "ROWS", 400)
    make.main(tmp_path, steps=1)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {
        str(path.relative_to(SPACE))
        for folder in ("model", "tokenizers")
        for path in (SPACE / folder).rglob("*")
        if path.is_file()
    }
    monkeypatch.setattr(shelf, "HERE", tmp_path)
    model = shelf.get_model.__wrapped__()
    assert {name: each.shape for name, each in model.named_parameters()}.keys() == dict(
        shelf.LlamaForCausalLM.from_pretrained(SPACE / "model").named_parameters()
    ).keys()
    for name in shelf.EMBEDDED:
        assert shelf.get_tokenizer.__wrapped__(name).is_fast
