"""Models to train on the command line, and what a run left or refused."""

import json
import re
from pathlib import Path
from typing import Any

from tests.tiny import char_tokenizer, tiny_model


def save_model(folder: Path, kind: str = "t5") -> str:
    """Write a tiny model of a kind and its tokenizer, and return the folder's name."""
    tiny_model(kind).save_pretrained(folder)
    char_tokenizer().save_pretrained(folder)
    return str(folder)


def log_history(out: Path) -> list[dict[str, Any]]:
    """What a run logged."""
    return json.loads((out / "trainer_state.json").read_text())["log_history"]


def assert_one_line(capsys: Any, message: str) -> None:
    """One error was printed, in one line, and says this."""
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ntl-hf: error: ")]
    assert len(errors) == 1 and re.search(message, errors[0]), errors
