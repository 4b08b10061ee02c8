"""The tokenizers of the demo: three that lie beside it, one with a model, and any of the Hub by its id."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from lens import InputError, Lens
from transformers import AutoTokenizer, LlamaForCausalLM

HERE = Path(__file__).parent
# Label in the page -> folder.
EMBEDDED = {
    "Single digits, with the small model": "digits",
    "Groups of up to three digits (as Llama 3)": "groups",
    "Pieces in SentencePiece's manner (as T5)": "pieces",
}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@lru_cache(maxsize=8)
def get_lens(name: str, digits_only: bool) -> Lens:
    """The lens of a label in `EMBEDDED` or of a Hub id.

    Raises:
        InputError: no such tokenizer, or one without numbers.
    """
    folder = EMBEDDED.get(name)
    return Lens(get_tokenizer(name), get_model() if folder == "digits" else None, digits_only)


@lru_cache(maxsize=4)
def get_tokenizer(name: str) -> Any:
    """The tokenizer of a label in `EMBEDDED` or of a Hub id.

    Raises:
        InputError: it cannot be had, or does not say where its tokens stand in the text.
    """
    if name in EMBEDDED:
        return AutoTokenizer.from_pretrained(HERE / "tokenizers" / EMBEDDED[name])
    # A path would be read from this machine.
    if not _HUB_ID.fullmatch(name.strip()) or Path(name.strip()).exists():
        raise InputError(f"“{name}” is no Hub id. Write one such as gpt2 or Qwen/Qwen3-0.6B, or choose from the list.")
    try:
        # Without the rights of the machine that serves the page.
        tokenizer = AutoTokenizer.from_pretrained(name.strip(), token=False, trust_remote_code=False)
    except Exception as error:  # whatever a stranger's repository makes of it
        raise InputError(
            f"The tokenizer “{name}” cannot be had: there is none by that id, it is not public, or this machine is "
            "not online. Choose one of the list."
        ) from error
    if not tokenizer.is_fast:
        raise InputError(f"“{name}” has no fast tokenizer, which the demo needs. Choose another.")
    return tokenizer


@lru_cache(maxsize=1)
def get_model() -> Any:
    """The small model, in float32."""
    return LlamaForCausalLM.from_pretrained(HERE / "model", dtype=torch.float32).eval()
