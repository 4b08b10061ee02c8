"""`--debug`: a few steps on a few rows, on the path of a real run, into a folder of its own."""

import tempfile
from collections.abc import Sequence

from ..runs import debug

FLAG = "--debug"
HELP = "without a value: a few steps on a few rows, into a new temporary folder"
_SETTINGS = {"sft": debug.TRAINING, "train": debug.TRAINING, "evaluate": debug.EVALUATION}


def expand_debug(command: str, argv: Sequence[str]) -> list[str]:
    """The words of a command, with a bare `--debug` replaced by the settings of a debug run.

    What is said besides counts more: `--debug --max_steps 10` takes ten steps. With a value, the option is the one of
    `transformers`, and is left alone.
    """
    if command not in _SETTINGS or not _is_bare(argv):
        return list(argv)
    # Not the recipe's folder: a debug run must neither meet nor leave anything there.
    folder = tempfile.mkdtemp(prefix="ntl-hf-debug-")
    print(f"Debug run, written to {folder}.", flush=True)
    settings = {**_SETTINGS[command], "output_dir": folder}
    rest = [word for word in argv if word != FLAG]
    return [*(word for key, value in settings.items() for word in (f"--{key}", str(value))), *rest]


def _is_bare(argv: Sequence[str]) -> bool:
    if FLAG not in argv:
        return False
    following = argv[argv.index(FLAG) + 1 :][:1]
    return not following or following[0].startswith("--")
