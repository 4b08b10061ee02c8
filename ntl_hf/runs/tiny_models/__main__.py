"""Write the configuration and the tokenizer of a small model into a folder, for recipes with `from_scratch: true`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig

from . import FOLDERS, command, decoder, t5

_MAKERS: dict[str, tuple[Callable[[], Any], Callable[[int], PretrainedConfig]]] = {
    "decoder": (decoder.tokenizer, decoder.config),
    "t5": (t5.tokenizer, t5.config),
    "t5-ratings": (lambda: t5.tokenizer("ratings"), t5.config),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and write the model."""
    commands = "\n".join(f"  {command(name)}" for name in FOLDERS)
    parser = argparse.ArgumentParser(
        prog="python -m ntl_hf.runs.tiny_models",
        description=__doc__,
        epilog=f"what the recipes need:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", choices=_MAKERS, help="a Llama, or a T5 for arithmetic or for ratings of reviews")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="made if it is not there")
    args = parser.parse_args(argv)
    tokenizer, config = _MAKERS[args.model]
    tokens = tokenizer()
    tokens.save_pretrained(args.folder)
    config(len(tokens)).save_pretrained(args.folder)


if __name__ == "__main__":
    main()
