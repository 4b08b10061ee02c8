"""Small models from random weights, which the recipes of `tiny-decoder` and `t5-tiny` train.

`python -m ntl_hf.runs.tiny_models decoder models/tiny-decoder` writes the configuration and the tokenizer of one.
"""

# Names for the command line, and the folders in which the recipes look for them.
FOLDERS = {"decoder": "models/tiny-decoder", "t5": "models/t5-tiny", "t5-ratings": "models/t5-tiny-ratings"}


def how_to_make(folder: str) -> str | None:
    """The command that makes the model of the recipes in this folder; None if it is none of theirs."""
    name = next((name for name, each in FOLDERS.items() if each == folder.removeprefix("./").rstrip("/")), None)
    return None if name is None else command(name)


def command(name: str) -> str:
    """What to type for the model of that name, one of `FOLDERS`."""
    return f"python -m ntl_hf.runs.tiny_models {name} {FOLDERS[name]}"
